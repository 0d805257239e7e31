import { setTimeout as sleep } from "node:timers/promises";
import type { Call } from "./call.ts";

/** Time, as far as the rhythm of the program depends on it. */
export interface Clock {
  now(): Date;
  /** Rejects when the call is aborted. */
  sleep(ms: number, call: Call): Promise<void>;
}

/** What a timer of Node's can hold: a longer one ends after a millisecond. */
const longestTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => new Date(),
  async sleep(ms, { signal }) {
    let leftMs = ms;
    for (; leftMs > longestTimerMs; leftMs -= longestTimerMs) {
      await sleep(longestTimerMs, undefined, { signal });
    }
    await sleep(leftMs, undefined, { signal });
  },
};

/**
 * Whether less than `limitMs` have passed since then. A time that is still to come was told by a clock
 * that was wrong, and is relied on no longer.
 */
export function isWithin(
  { limitMs, sinceMs }: { limitMs: number; sinceMs: number },
  clock: Clock,
): boolean {
  const passedMs = clock.now().getTime() - sinceMs;
  return passedMs >= 0 && passedMs < limitMs;
}

/** Whether `work` settles within `ms`, by `clock`. It goes on either way. */
export async function settlesWithin(
  work: Promise<unknown>,
  ms: number,
  clock: Clock,
): Promise<boolean> {
  const timer = new AbortController();
  const settled = work.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, clock.sleep(ms, timer).then(() => false)]);
  } finally {
    timer.abort();
  }
}
