import { type Call, isEchoOf, orAborted, TimeoutError, withTimeout } from "../../base/call.ts";
import { type Clock, settlesWithin } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { backoffMs } from "../../base/retry.ts";
import { type Notice, type Notifier, NotifierError } from "../notifier.ts";

const mostWaiting = 100;
/** With the back-off below this is about half an hour. */
const mostAttempts = 12;
const backoff = { firstMs: 1_000, maximumMs: 300_000 };
const longestAskedMs = 3_600_000;
const flushMs = 5_000;

export interface DeliveryParts {
  clock: Clock;
  logger: Logger;
  /** The most one attempt may take; 10 s. */
  sendTimeoutMs?: number;
}

/** Carries notices to one notifier, one at a time and in order, behind whoever hands them in. */
export interface Delivery {
  /** Neither waits nor throws. */
  add(notice: Notice): void;
  /** Tries what is left once more, for at most 5 s and as long as the call lives, and closes. */
  close(call: Call): Promise<void>;
}

/**
 * What cannot be sent now is tried again for half an hour; what waits behind it is bounded, and the
 * oldest goes first. The next notice that arrives says how many did not.
 */
export function openDelivery(notifier: Notifier, parts: DeliveryParts): Delivery {
  const { clock, sendTimeoutMs = 10_000 } = parts;
  const logger = parts.logger.with({ notifier: notifier.name });
  const waiting: Notice[] = [];
  const closing = new AbortController();
  const ending = new AbortController();
  let working: Promise<void> | undefined;
  let missed = 0;
  let lastFailure = "";

  return {
    add(notice) {
      if (closing.signal.aborted) return;
      waiting.push(notice);
      if (waiting.length > mostWaiting) {
        waiting.shift();
        missed++;
      }
      working ??= work();
    },

    async close({ signal }) {
      closing.abort();
      const flushed = settlesWithin(working ?? Promise.resolve(), flushMs, clock);
      await orAborted(flushed, signal).catch(() => {});
      ending.abort();
      await working;
      const count = waiting.length + missed;
      if (count > 0) logger.warn("notices were not sent", { count });
      await notifier.close();
    },
  };

  async function work(): Promise<void> {
    for (let notice = next(); notice !== undefined; notice = next()) await deliver(notice);
    working = undefined;
  }

  function next(): Notice | undefined {
    return ending.signal.aborted ? undefined : waiting.shift();
  }

  async function deliver(notice: Notice): Promise<void> {
    for (let attempts = 1; ; attempts++) {
      const told = missed;
      const error = await failureOf(withMissed(notice, told));
      if (error === undefined) {
        missed -= told;
        return;
      }
      const isLast = attempts === mostAttempts || closing.signal.aborted;
      if (isLast || !isPassing(error)) {
        missed++;
        return;
      }
      const waitMs = Math.max(askedMs(error), backoffMs(backoff, attempts));
      await clock.sleep(waitMs, closing).catch(() => {});
    }
  }

  /** Sends once, and says what went wrong. A notifier with a bug in it is one that failed. */
  async function failureOf(notice: Notice): Promise<unknown> {
    try {
      await withTimeout(`${notifier.name}: sending a notice`, sendTimeoutMs, ending, (call) =>
        orAborted(notifier.send(notice, call), call.signal),
      );
      if (lastFailure !== "") logger.info("notices arrive again");
      lastFailure = "";
      return undefined;
    } catch (error) {
      if (isEchoOf(ending.signal, error)) return error;
      const message = messageOf(error);
      logger[message === lastFailure ? "debug" : "error"]("notice failed", { error });
      lastFailure = message;
      return error ?? new Error("nothing was thrown");
    }
  }
}

function withMissed(notice: Notice, missed: number): Notice {
  if (missed === 0) return notice;
  const notices = missed === 1 ? "1 earlier notice" : `${missed} earlier notices`;
  return { ...notice, text: `${notice.text}\n\n(${notices} could not be sent)` };
}

/** Whether the same notice may arrive later. */
function isPassing(error: unknown): boolean {
  if (error instanceof NotifierError) return ["UNAVAILABLE", "RATE_LIMITED"].includes(error.code);
  return error instanceof TimeoutError;
}

function askedMs(error: unknown): number {
  const ms = error instanceof NotifierError ? error.retryAfterMs : undefined;
  return Math.min(ms ?? 0, longestAskedMs);
}
