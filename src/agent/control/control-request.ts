import type { IncomingMessage } from "node:http";
import * as v from "valibot";
import { BytesError, collect } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import { ConfigError, DewyError } from "../../base/errors.ts";
import { parse } from "../../base/schema.ts";
import type { Situation } from "./situation.ts";

const longestBody = 64 * 1024;

const Tag = v.pipe(v.string(), v.minLength(1, "name a release by its tag"), v.maxLength(256));
/** Who decides, and why. */
const by = {
  by: v.pipe(v.string(), v.minLength(1), v.maxLength(128)),
  reason: v.optional(v.pipe(v.string(), v.maxLength(1_000))),
};

/** What ends a decision leaves no note of who did it but in the log. */
const mayBy = { by: v.optional(by.by) };

/** What may be asked of an agent, each with the body that it takes. */
export const requests = {
  status: v.strictObject({}),
  plan: v.strictObject({}),
  deploy: v.strictObject({ tag: v.optional(Tag), now: v.optional(v.boolean(), false), ...by }),
  rollback: v.strictObject({ tag: v.optional(Tag), ...by }),
  pin: v.strictObject({ tag: Tag, ...by }),
  unpin: v.strictObject(mayBy),
  pause: v.strictObject({
    forMs: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(366 * 86_400_000))),
    ...by,
  }),
  resume: v.strictObject(mayBy),
  skip: v.strictObject({ tag: Tag, ...by }),
  retry: v.strictObject({ tag: v.optional(Tag), ...mayBy }),
} as const satisfies Record<string, v.GenericSchema>;

export type RequestName = keyof typeof requests;
export type RequestOf<Name extends RequestName> = v.InferOutput<(typeof requests)[Name]>;

/** What came of a decision. */
export const Outcome = v.object({
  /** In a sentence or two. */
  said: v.string(),
  /** The release in service, where the request was about that. */
  tag: v.optional(v.string()),
});
export type Outcome = v.InferOutput<typeof Outcome>;

/** What would happen now. */
export const Plan = v.object({
  action: v.picklist(["none", "wait", "deploy"]),
  said: v.string(),
  tag: v.optional(v.string()),
  activeTag: v.optional(v.string()),
  artifact: v.optional(v.string()),
  sizeBytes: v.optional(v.number()),
  passedOver: v.array(v.object({ tag: v.string(), reason: v.string() })),
});
export type Plan = v.InferOutput<typeof Plan>;

/** What each request is answered with. */
export type Answers = { [Name in Exclude<RequestName, "status" | "plan">]: Outcome } & {
  status: Situation;
  plan: Plan;
};

export type Control = {
  [Name in RequestName]: (request: RequestOf<Name>, call: Call) => Promise<Answers[Name]>;
};

export interface ControlAnswer {
  status: number;
  body: object;
}

/** Answers `POST /v1/NAME` with a JSON body; `GET` where nothing is to be said. */
export async function controlAnswer(
  request: IncomingMessage,
  control: Control,
  call: Call,
): Promise<ControlAnswer> {
  const name = /^\/v1\/([a-z]+)$/.exec(request.url ?? "")?.[1] ?? "";
  if (!isRequestName(name)) {
    const known = Object.keys(requests).map((one) => `/v1/${one}`);
    return failure(404, "NOT_FOUND", `there is only ${known.join(", ")}`);
  }
  if (request.method !== "POST" && request.method !== "GET") {
    return failure(405, "NOT_ALLOWED", "only GET and POST are answered");
  }
  try {
    const asked = parse(requests[name], await bodyOf(request));
    return { status: 200, body: await answerTo(name, asked, control, call) };
  } catch (error) {
    if (error instanceof BytesError) {
      return failure(413, "TOO_LARGE", `a request has ${longestBody} bytes at the most`);
    }
    if (!(error instanceof DewyError)) throw error;
    const status = error instanceof ConfigError ? 400 : 409;
    return failure(status, error.code, error.message, error.hint);
  }
}

/** The body was read by the schema of the same name. */
function answerTo(name: RequestName, asked: object, control: Control, call: Call): Promise<object> {
  const work = control[name] as (request: object, call: Call) => Promise<object>;
  return work(asked, call);
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const text = (await collect(request, longestBody)).toString();
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new ConfigError("the body is not JSON");
  }
}

const isRequestName = (name: string): name is RequestName => Object.hasOwn(requests, name);

export const failure = (
  status: number,
  code: string,
  message: string,
  hint?: string,
): ControlAnswer => ({ status, body: { error: { code, message, ...(hint && { hint }) } } });
