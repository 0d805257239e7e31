import type { Clock } from "../../base/clock.ts";
import type { TrashRun } from "../images/trash.ts";
import { GarbageError } from "./garbage-error.ts";

/** By less than this, clocks are corrected at any time. */
const correctionMs = 1_000;

export interface ClockGuardOptions {
  run: TrashRun;
  /** The latest that was seen in this collection before it was interrupted. */
  latestMs: number;
}

/**
 * Sees that the clock was set back so far that what is used from then on, or was used meanwhile, is
 * older than what a collection takes. A clock that has caught up tells nothing: to be asked all along.
 */
export class ClockGuard {
  readonly #clock: Clock;
  readonly #cutoffMs: number;
  readonly #mostBackMs: number;
  #latestMs: number;

  constructor(clock: Clock, { run: { begunMs, cutoffMs }, latestMs }: ClockGuardOptions) {
    this.#clock = clock;
    this.#cutoffMs = cutoffMs;
    this.#mostBackMs = Math.max(correctionMs, (begunMs - cutoffMs) / 2);
    this.#latestMs = latestMs;
  }

  get latestMs(): number {
    return this.#latestMs;
  }

  /** @throws {GarbageError} `CLOCK_SET_BACK` */
  check(): void {
    const nowMs = this.#clock.now().getTime();
    const isBack =
      this.#latestMs - nowMs > this.#mostBackMs || this.#cutoffMs - nowMs > correctionMs;
    this.#latestMs = Math.max(this.#latestMs, nowMs);
    if (!isBack) return;
    throw new GarbageError("CLOCK_SET_BACK", "the clock was set back while garbage was collected", {
      hint: "collect again: what was used since then could not be told from garbage",
    });
  }
}
