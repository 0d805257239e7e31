import { collect } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { DewyError, type ErrorDetails } from "../../base/errors.ts";
import type { HttpClient, HttpHeaders } from "../../base/http-client.ts";
import { retryAfterMs } from "../../base/retry-after.ts";

/** What a certificate authority answers instead of what it was asked for. */
export class AcmeError extends DewyError<
  "REFUSED" | "RATE_LIMITED" | "NOT_VALIDATED" | "UNAVAILABLE" | "BAD_ANSWER"
> {
  /** How long it wants to be left alone, if it says so. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: AcmeError["code"],
    message: string,
    details: ErrorDetails & { retryAfterMs?: number | undefined } = {},
  ) {
    super(code, message, details);
    this.retryAfterMs = details.retryAfterMs;
  }
}

export interface AcmeRequest {
  method: string;
  url: string;
  body: string | undefined;
}

export interface AcmeAnswer {
  status: number;
  headers: HttpHeaders;
  text: string;
}

/** A problem document (RFC 7807), as far as ACME uses it. */
export interface Problem {
  type?: string;
  detail?: string;
}

const longestAnswerBytes = 1024 * 1024;

/**
 * One request to the certificate authority. A nonce that it does not like is an answer, as the
 * protocol then goes on.
 *
 * @throws {AcmeError} in its own words, or {HttpError}
 */
export async function askAuthority(
  { method, url, body }: AcmeRequest,
  { http, clock }: { http: HttpClient; clock: Clock },
  call: Call,
): Promise<AcmeAnswer> {
  const headers = { "content-type": "application/jose+json", "accept-language": "en" };
  const answer = await http.request({ method, url, headers, body }, call);
  const text = String(await collect(answer.body, longestAnswerBytes));
  const { status } = answer;
  const problem = problemIn(text);
  if (status >= 400 && kindOf(problem) !== "badNonce") {
    const later = retryAfterMs(answer.headers, clock.now());
    throw refusal(new URL(url).host, { status, problem, later });
  }
  return { status, headers: answer.headers, text };
}

function refusal(
  host: string,
  { status, problem, later }: { status: number; problem: Problem; later: number | undefined },
): AcmeError {
  const isLimited = status === 429 || kindOf(problem) === "rateLimited";
  const code = isLimited ? "RATE_LIMITED" : status >= 500 ? "UNAVAILABLE" : "REFUSED";
  const message = `${host} answers ${status}: ${sentenceOf(problem)}`;
  return new AcmeError(code, message, { hint: hints[code], retryAfterMs: later });
}

const hints: Partial<Record<AcmeError["code"], string>> = {
  RATE_LIMITED: "nothing is to be done but to wait; fewer hosts need fewer certificates",
  REFUSED: "check http.tls.letsencrypt: hosts, email and directoryurl",
};

/** The last part of its name: `urn:ietf:params:acme:error:rateLimited`. */
export const kindOf = ({ type }: Problem): string => type?.split(":").at(-1) ?? "";

export const sentenceOf = (problem: Problem): string =>
  [kindOf(problem), problem.detail].filter(Boolean).join(": ") || "it does not say why";

function problemIn(text: string): Problem {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return {};
    const { type, detail } = value as Record<string, unknown>;
    return {
      ...(typeof type === "string" && { type }),
      ...(typeof detail === "string" && { detail: detail.replace(/\s+/g, " ") }),
    };
  } catch {
    return {};
  }
}
