import * as v from "valibot";
import { BytesError, collect } from "../base/bytes.ts";
import type { HttpAnswer } from "../base/http-client.ts";
import { retryAfterMs } from "../base/retry-after.ts";
import { isOciErrorCode, OciError, type OciErrorCode } from "./error.ts";

const ErrorBody = v.object({
  errors: v.pipe(
    v.array(
      v.object({
        code: v.optional(v.string(), ""),
        message: v.optional(v.nullable(v.string()), ""),
        detail: v.optional(v.unknown()),
      }),
    ),
    v.minLength(1),
  ),
});

const maximumErrorBytes = 64 * 1024;

/** What a refusal is about: decides what a bare 404 means. */
export interface Asked {
  host: string;
  /** Such as `pull acme/app:v1.0.0`. */
  what: string;
  missing: OciErrorCode;
  now: Date;
}

/** The server's refusal as the error it stands for, with its own words where it has any. */
export async function refusal(answer: HttpAnswer, asked: Asked): Promise<OciError> {
  const said = await errorIn(answer);
  const code = codeOf(answer.status, said?.code, asked.missing);
  const words = said?.message ? `: ${answer.conceal(said.message).slice(0, 500)}` : "";
  const wait = retryAfterMs(answer.headers, asked.now);
  return new OciError(code, `cannot ${asked.what}: ${sentenceOf(answer, asked)}${words}`, {
    status: answer.status,
    detail: said?.detail,
    hint: hintFor(code, asked.host),
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  });
}

function sentenceOf({ status }: HttpAnswer, { host }: Asked): string {
  if (status === 401) return `${host} asks who you are (401)`;
  if (status === 403) return `${host} does not allow it (403)`;
  if (status === 404) return `${host} has no such thing (404)`;
  if (status === 429) return `${host} asks to be left alone for a while (429)`;
  return `${host} answered ${status}`;
}

async function errorIn(answer: HttpAnswer) {
  try {
    const text = (await collect(answer.body, maximumErrorBytes)).toString();
    return v.parse(ErrorBody, JSON.parse(text)).errors[0];
  } catch (error) {
    // The status alone has to do when a proxy answers with its own page.
    if (error instanceof SyntaxError || error instanceof BytesError || v.isValiError(error))
      return undefined;
    throw error;
  }
}

function codeOf(status: number, said: string | undefined, missing: OciErrorCode): OciErrorCode {
  if (status === 401) return "UNAUTHORIZED";
  if (status === 403) return "DENIED";
  if (status === 429) return "TOOMANYREQUESTS";
  if (said !== undefined && isOciErrorCode(said)) return said;
  if (status === 404) return missing;
  return status >= 502 && status <= 504 ? "UNAVAILABLE" : "UNKNOWN";
}

function hintFor(code: OciErrorCode, host: string): string {
  if (code === "UNAUTHORIZED") {
    return `run: docker login ${host} (or set DOCKER_USERNAME and DOCKER_PASSWORD)`;
  }
  if (code === "DENIED") return `give this account access to the repository at ${host}`;
  if (code === "TOOMANYREQUESTS") return "poll less often, or sign in for a higher limit";
  if (code === "NAME_UNKNOWN")
    return "check the repository name, and whether it was ever pushed to";
  if (code === "MANIFEST_UNKNOWN") return "check the tag";
  return `see the log of ${host}`;
}
