import type { Call } from "../../base/call.ts";
import { isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { HttpError } from "../../base/http-error.ts";
import type { Logger } from "../../base/logger.ts";
import { backoffMs } from "../../base/retry.ts";
import { OciError } from "../../oci/error.ts";

export interface GateParts {
  /** What the registry is called in messages. */
  name: string;
  clock: Clock;
  logger: Logger;
}

const backoff = { firstMs: 1_000, maximumMs: 60_000 };
const longestPauseMs = 3_600_000;
const ordinaryLimitMs = 60_000;

/**
 * Lets requests through to one registry, unless it has asked to be left alone (429, `Retry-After`)
 * or does not answer: then nobody waits for it until the pause is over, which grows with each
 * failure.
 */
export class UpstreamGate {
  readonly #parts: GateParts;
  #pausedUntilMs = 0;
  #failures = 0;
  #why: "limited" | "failing" = "failing";
  #isLate = false;

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /** Whether somebody has waited in vain, and nothing has come since. */
  get isLate(): boolean {
    return this.#isLate;
  }

  markLate(): void {
    this.#isLate = true;
  }

  /** @throws {OciError} what the client may be told of a failure, `TOOMANYREQUESTS` or `UNAVAILABLE` */
  async through<Result>(call: Call, work: () => Promise<Result>): Promise<Result> {
    const waitMs = this.#waitMs();
    if (waitMs > 0) throw this.#closed(waitMs);
    try {
      const result = await work();
      this.#succeeded();
      return result;
    } catch (error) {
      if (isEchoOf(call.signal, error)) throw error;
      throw this.#translated(error);
    }
  }

  #closed(retryAfterMs: number, cause?: unknown): OciError {
    const { name } = this.#parts;
    return this.#why === "limited"
      ? new OciError("TOOMANYREQUESTS", `${name} asks to be left alone for a while`, {
          retryAfterMs,
          cause,
          hint: "give proxy a username and password for a higher limit",
        })
      : new OciError("UNAVAILABLE", `${name} does not answer`, {
          retryAfterMs,
          cause,
          hint: `check the network between here and ${name}; the log says what failed`,
        });
  }

  #succeeded(): void {
    if (this.#failures > 0) this.#parts.logger.info("upstream answers again", this.#fields());
    this.#failures = 0;
    this.#isLate = false;
  }

  /** What the registry there says of us is not what our client is to hear of itself. */
  #translated(error: unknown): unknown {
    const { name } = this.#parts;
    if (error instanceof OciError && error.code === "TOOMANYREQUESTS") {
      return this.#pause("limited", error, error.retryAfterMs ?? ordinaryLimitMs);
    }
    if (isOutage(error)) {
      const wait = error instanceof OciError ? error.retryAfterMs : undefined;
      return this.#pause("failing", error, wait);
    }
    if (!(error instanceof OciError)) return error;
    if (["UNAUTHORIZED", "DENIED"].includes(error.code)) {
      this.#parts.logger.info("upstream refuses", this.#fields(error));
      return new OciError("DENIED", `${name} does not give this to the mirror`, { cause: error });
    }
    if (error.status === 404) {
      this.#succeeded();
      return error;
    }
    this.#parts.logger.warn("upstream answer is of no use", this.#fields(error));
    const message = `${name} gave an answer that is of no use`;
    return new OciError("UNAVAILABLE", message, { cause: error, status: 502 });
  }

  /** `askedMs` is how long the registry there wants to be left alone, if it said so. */
  #pause(why: "limited" | "failing", error: unknown, askedMs: number | undefined): OciError {
    const nowMs = this.#parts.clock.now().getTime();
    const isPaused = this.#waitMs() > 0; // by one of those that were under way together
    if (!isPaused) this.#failures++;
    const ownMs = isPaused ? 0 : backoffMs(backoff, this.#failures);
    const pauseMs = Math.min(Math.max(askedMs ?? 0, ownMs), longestPauseMs);
    this.#pausedUntilMs = nowMs + Math.max(this.#waitMs(), pauseMs);
    if (!isPaused || askedMs !== undefined) this.#why = why;
    if (this.#failures === 1 && !isPaused) {
      this.#parts.logger.warn("upstream fails", {
        ...{ ...this.#fields(error), pauseMs: Math.round(pauseMs) },
      });
    }
    return this.#closed(this.#pausedUntilMs - nowMs, error);
  }

  /** 0 also where the clock was set back: nobody is left alone for longer than that. */
  #waitMs(): number {
    const waitMs = this.#pausedUntilMs - this.#parts.clock.now().getTime();
    return waitMs > longestPauseMs ? 0 : Math.max(0, waitMs);
  }

  #fields(error?: unknown) {
    return { upstream: this.#parts.name, ...(error === undefined ? {} : { error }) };
  }
}

function isOutage(error: unknown): boolean {
  if (error instanceof HttpError) return error.code !== "INTERRUPTED";
  return error instanceof OciError && [502, 503, 504].includes(error.status);
}
