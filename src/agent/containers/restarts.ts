import { backoffMs } from "../../base/retry.ts";

const backoff = { firstMs: 1_000, maximumMs: 60_000 };
/** Who was up for so long has not crashed at its start. */
const wellAfterMs = 60_000;

/** When a replica that has ended may be started again: soon, then later and later. */
export interface Restarts {
  /** One has ended that was up for `uptimeMs`; `index` is its place among the replicas. */
  note(uptimeMs: number, index?: number): void;
  /** How long nobody is to be started, from now on. */
  leftMs(): number;
  /** Something else is to run. */
  forget(): void;
  /** How often one has ended or was not started, in one place or in all, since something else was to run. */
  countOf(index?: number): number;
}

export function openRestarts(): Restarts {
  let count = 0;
  let notBefore = 0;
  const counts = new Map<number, number>();
  return {
    countOf: (index) =>
      index === undefined
        ? [...counts.values()].reduce((sum, each) => sum + each, 0)
        : (counts.get(index) ?? 0),
    note(uptimeMs, index) {
      if (index !== undefined) counts.set(index, (counts.get(index) ?? 0) + 1);
      count = uptimeMs >= wellAfterMs ? 1 : count + 1;
      notBefore = performance.now() + backoffMs(backoff, count);
    },
    leftMs: () => Math.max(0, notBefore - performance.now()),
    forget() {
      count = 0;
      notBefore = 0;
      counts.clear();
    },
  };
}
