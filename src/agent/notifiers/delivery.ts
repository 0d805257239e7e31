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

/**
 * Carries notices to one notifier, one at a time and in order, behind whoever hands them in.
 *
 * What cannot be sent now is tried again for half an hour; what waits behind it is bounded, and the
 * oldest goes first. The next notice that arrives says how many did not.
 */
export class Delivery {
  readonly #notifier: Notifier;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #sendTimeoutMs: number;
  readonly #closing = new AbortController();
  readonly #ending = new AbortController();
  readonly #waiting: Notice[] = [];
  #working: Promise<void> | undefined;
  #missed = 0;
  #lastFailure = "";

  constructor(notifier: Notifier, { clock, logger, sendTimeoutMs = 10_000 }: DeliveryParts) {
    this.#notifier = notifier;
    this.#clock = clock;
    this.#logger = logger.with({ notifier: notifier.name });
    this.#sendTimeoutMs = sendTimeoutMs;
  }

  /** Neither waits nor throws. */
  add(notice: Notice): void {
    if (this.#closing.signal.aborted) return;
    this.#waiting.push(notice);
    if (this.#waiting.length > mostWaiting) {
      this.#waiting.shift();
      this.#missed++;
    }
    this.#working ??= this.#work();
  }

  /** Tries what is left once more, for at most 5 s and as long as the call lives, and closes. */
  async close({ signal }: Call): Promise<void> {
    this.#closing.abort();
    const flushed = settlesWithin(this.#working ?? Promise.resolve(), flushMs, this.#clock);
    await orAborted(flushed, signal).catch(() => {});
    this.#ending.abort();
    await this.#working;
    const count = this.#waiting.length + this.#missed;
    if (count > 0) this.#logger.warn("notices were not sent", { count });
    await this.#notifier.close();
  }

  async #work(): Promise<void> {
    for (let notice = this.#next(); notice !== undefined; notice = this.#next()) {
      await this.#deliver(notice);
    }
    this.#working = undefined;
  }

  #next(): Notice | undefined {
    return this.#ending.signal.aborted ? undefined : this.#waiting.shift();
  }

  async #deliver(notice: Notice): Promise<void> {
    for (let attempts = 1; ; attempts++) {
      const told = this.#missed;
      const error = await this.#failureOf(withMissed(notice, told));
      if (error === undefined) {
        this.#missed -= told;
        return;
      }
      const isLast = attempts === mostAttempts || this.#closing.signal.aborted;
      if (isLast || !isPassing(error)) {
        this.#missed++;
        return;
      }
      const waitMs = Math.max(askedMs(error), backoffMs(backoff, attempts));
      await this.#clock.sleep(waitMs, this.#closing).catch(() => {});
    }
  }

  /** Sends once, and says what went wrong. A notifier with a bug in it is one that failed. */
  async #failureOf(notice: Notice): Promise<unknown> {
    const what = `${this.#notifier.name}: sending a notice`;
    try {
      await withTimeout(what, this.#sendTimeoutMs, this.#ending, (call) =>
        orAborted(this.#notifier.send(notice, call), call.signal),
      );
      if (this.#lastFailure !== "") this.#logger.info("notices arrive again");
      this.#lastFailure = "";
      return undefined;
    } catch (error) {
      if (!isEchoOf(this.#ending.signal, error)) this.#report(error);
      return error ?? new Error("nothing was thrown");
    }
  }

  /** What lasts is an error once; a moment in which the other side has too much to do is none. */
  #report(error: unknown): void {
    const isBusy = error instanceof NotifierError && error.code === "RATE_LIMITED";
    const message = messageOf(error);
    const level = isBusy ? "warn" : "error";
    this.#logger[message === this.#lastFailure ? "debug" : level]("notice failed", { error });
    this.#lastFailure = message;
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
