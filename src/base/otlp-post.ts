import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { collect } from "./bytes.ts";
import { type Call, TimeoutError, withTimeout } from "./call.ts";
import { DewyError, type ErrorDetails } from "./errors.ts";
import type { HttpAnswer, HttpClient } from "./http-client.ts";
import type { OtlpConnection } from "./otlp-connection.ts";
import { retryAfterMs } from "./retry-after.ts";

/** What did not arrive at a collector, or not all of it; `BUSY` is what it may take later. */
export class OtlpError extends DewyError<"UNREACHABLE" | "REFUSED" | "TIMEOUT" | "BUSY"> {
  /** How long the collector wants to be left alone, if it says so. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: OtlpError["code"],
    message: string,
    details: ErrorDetails & { retryAfterMs?: number | undefined } = {},
  ) {
    super(code, message, details);
    this.retryAfterMs = details.retryAfterMs;
  }
}

export interface OtlpBody {
  bytes: Uint8Array;
  contentType: "application/x-protobuf" | "application/json";
}

export interface OtlpPlace extends Omit<OtlpConnection, "secureContext"> {
  url: URL;
  /** As messages name what is sent: `metrics`. */
  what: string;
  /** The option or variable that names the place. */
  option: string;
}

const maximumAnswerBytes = 64 * 1024;
/** Of the protocol's specification, "Retryable Response Codes". */
const busy = [429, 502, 503, 504];

/**
 * One POST of OTLP/HTTP. `read` is given the body of the answer.
 *
 * @throws {OtlpError}, or the reason of the signal
 */
export async function postOtlp(
  body: OtlpBody,
  place: OtlpPlace,
  http: HttpClient,
  { signal }: Call,
  read: (answer: Buffer) => void,
): Promise<void> {
  try {
    const answer = await withTimeout(place.url.host, place.timeoutMs, { signal }, (limited) =>
      post(body, place, http, limited),
    );
    read(answer);
  } catch (error) {
    throw signal.aborted ? signal.reason : failure(error, place);
  }
}

async function post(
  { bytes, contentType }: OtlpBody,
  place: OtlpPlace,
  http: HttpClient,
  call: Call,
): Promise<Buffer> {
  const isGzip = place.compression === "gzip";
  const headers = {
    ...place.headers,
    "content-type": contentType,
    ...(isGzip && { "content-encoding": "gzip" }),
  };
  const body = isGzip ? await promisify(gzip)(bytes) : bytes;
  const { url } = place;
  const answer = await http.request(
    { method: "POST", url, redirect: "manual", headers, body },
    call,
  );
  if (answer.status === 200) return await collect(answer.body, maximumAnswerBytes);
  answer.discard();
  throw refusal(answer, place);
}

function refusal({ status, headers }: HttpAnswer, { url, what, option }: OtlpPlace): OtlpError {
  const hint =
    status === 401 || status === 403
      ? "give its credentials by OTEL_EXPORTER_OTLP_HEADERS"
      : `check that ${option} is where the collector takes OTLP/HTTP`;
  const code = busy.includes(status) ? "BUSY" : "REFUSED";
  return new OtlpError(code, `${placeIn(url)} did not take ${what}: status ${status}`, {
    hint,
    retryAfterMs: retryAfterMs(headers, new Date()),
  });
}

function failure(cause: unknown, { url, timeoutMs, option }: OtlpPlace): unknown {
  if (cause instanceof OtlpError) return cause;
  if (cause instanceof TimeoutError) {
    return new OtlpError("TIMEOUT", `${placeIn(url)} did not answer within ${timeoutMs} ms`, {
      cause,
      hint: "check the collector, and the network between",
    });
  }
  if (!(cause instanceof DewyError)) {
    return new OtlpError("REFUSED", `${placeIn(url)} did not answer in OTLP`, {
      cause,
      hint: `check that ${option} is where the collector takes OTLP/HTTP`,
    });
  }
  return new OtlpError("UNREACHABLE", cause.message, { cause, hint: cause.hint });
}

/** Without the query, which may hold a token. */
const placeIn = (url: URL): string => url.origin + url.pathname;
