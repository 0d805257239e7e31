import type { Clock } from "../../base/clock.ts";

const firstMs = 1_000;
const longestMs = 60_000;
/** Who was up for so long has not crashed at its start. */
const wellAfterMs = 60_000;

/** When a replica that has ended may be started again: after a second, then two, at most a minute. */
export interface Restarts {
  /** One has ended that was up for `uptimeMs`; `index` is its place among the replicas. */
  note(uptimeMs: number, index?: number): void;
  /** How long nobody is to be started, from now on. */
  leftMs(): number;
  /** All is well again, or something else is to run. */
  forget(): void;
  /** Since all was well. */
  readonly count: number;
  /** How often in one place, since something else was to run. */
  of(index: number): number;
}

export function openRestarts(clock: Clock): Restarts {
  let count = 0;
  let notBefore = 0;
  const counts = new Map<number, number>();
  return {
    of: (index) => counts.get(index) ?? 0,
    get count() {
      return count;
    },
    note(uptimeMs, index) {
      if (index !== undefined) counts.set(index, (counts.get(index) ?? 0) + 1);
      count = uptimeMs >= wellAfterMs ? 1 : count + 1;
      const waitMs = Math.min(firstMs * 2 ** (count - 1), longestMs);
      notBefore = clock.now().getTime() + waitMs;
    },
    leftMs: () => Math.max(0, notBefore - clock.now().getTime()),
    forget() {
      count = 0;
      notBefore = 0;
      counts.clear();
    },
  };
}
