import { STATUS_CODES } from "node:http";
import { type Call, isEchoOf, withTimeout } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { HttpAnswer, HttpClient } from "../../base/http-client.ts";
import { retryAfterMs } from "../../base/retry-after.ts";
import type { Endpoint } from "../config-notifications.ts";
import { envelopeOf, envelopeTypes, traceOf } from "./envelope.ts";
import type { EndpointCounts } from "./notification-metrics.ts";
import { signatureHeaders } from "./signature.ts";

export interface PostParts {
  /** Of the envelope's media type. */
  version: 1 | 2;
  http: HttpClient;
  clock: Clock;
  counts: EndpointCounts;
}

/** Why an attempt failed, and what follows from it. */
export interface Failure {
  reason: string;
  /** The event itself was refused: the same one would be refused again. */
  isRefusal: boolean;
  /** How long the endpoint wants to be left alone. */
  askedMs: number;
}

const longestAskedMs = 3_600_000;
/** About what was sent (RFC 9110, section 15.5), not about who may send, or when. */
const refusals = [400, 413, 415, 422];

/**
 * Sends one event once. Resolves to nothing when it was taken, else to why it was not; rejects only
 * when the call ends.
 */
export async function postEvent(
  line: string,
  endpoint: Endpoint,
  parts: PostParts,
  { signal }: Call,
): Promise<Failure | undefined> {
  try {
    const answer = await withTimeout("the endpoint", endpoint.timeout, { signal }, (call) =>
      post(line, endpoint, parts, call),
    );
    answer.discard();
    return failureIn(answer, parts);
  } catch (error) {
    if (isEchoOf(signal, error)) throw error;
    parts.counts.count("Errors", 1);
    return { reason: messageOf(error), isRefusal: false, askedMs: 0 };
  }
}

function post(line: string, endpoint: Endpoint, { http, version }: PostParts, call: Call) {
  const body = envelopeOf(line);
  return http.request(
    {
      method: "POST",
      url: endpoint.url.reveal(),
      headers: {
        ...traceOf(line),
        ...endpoint.headers,
        "content-type": envelopeTypes[version],
        ...signatureHeaders(body, endpoint.secret),
      },
      body: Buffer.from(body),
    },
    call,
  );
}

function failureIn({ status, headers }: HttpAnswer, { counts, clock }: PostParts) {
  const isTaken = status >= 200 && status < 400; // as Distribution counts
  counts.answered(`${status} ${STATUS_CODES[status] ?? ""}`.trim());
  counts.count(isTaken ? "Successes" : "Failures", 1);
  if (isTaken) return undefined;
  const askedMs = Math.min(retryAfterMs(headers, clock.now()) ?? 0, longestAskedMs);
  return { reason: `it answered ${status}`, isRefusal: refusals.includes(status), askedMs };
}
