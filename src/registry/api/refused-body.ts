import type { IncomingMessage } from "node:http";
import type { Clock } from "../../base/clock.ts";
import { http2StreamOf } from "./http2-request.ts";

const lookEveryMs = 10_000;
/** Less is nobody who wants to be done with it. */
const leastBytesPerSecond = 1_024;

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
  await untilSlow(() => received, { everyMs: lookEveryMs, ended, clock });
  if (!ended.signal.aborted) (http2StreamOf(request) ?? request).destroy();
}

/** Waits as long as bytes come at a pace, or until `ended` is aborted. */
export async function untilSlow(
  received: () => number,
  { everyMs, ended, clock }: { everyMs: number; ended: AbortController; clock: Clock },
): Promise<void> {
  for (let before = received(); ; before = received()) {
    await clock.sleep(everyMs, ended).catch(() => {});
    if (ended.signal.aborted) return;
    if (received() - before < (leastBytesPerSecond * everyMs) / 1_000) return;
  }
}
