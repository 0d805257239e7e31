import type { IncomingMessage } from "node:http";
import type { Clock } from "../../base/clock.ts";
import { http2StreamOf } from "./http2-request.ts";

const lookEveryMs = 10_000;
/** A kilobyte a second: less is nobody who wants to be done with it. */
const leastBytes = 10_240;

/**
 * Takes what is still to come of a body after the answer: many clients only listen once they have
 * sent it all. One that trickles in would keep its connection for ever, and is cut off.
 */
export async function discardRest(request: IncomingMessage, clock: Clock): Promise<void> {
  request.resume();
  if (request.complete || request.destroyed) return;
  const ended = new AbortController();
  let received = 0;
  request.on("data", (chunk: Buffer) => {
    received += chunk.length;
  });
  request.once("close", () => ended.abort());
  for (let before = 0; ; before = received) {
    await clock.sleep(lookEveryMs, ended).catch(() => {});
    if (ended.signal.aborted) return;
    if (received - before < leastBytes) break;
  }
  (http2StreamOf(request) ?? request).destroy();
}
