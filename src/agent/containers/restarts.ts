import { backoffMs } from "../../base/retry.ts";

const backoff = { firstMs: 1_000, maximumMs: 60_000 };
/** Who was up for so long has not crashed at its start. */
const wellAfterMs = 60_000;

/** When a replica that has ended may be started again: soon, then later and later. */
export interface Restarts {
  /** One has ended that was up for `uptimeMs`. */
  note(uptimeMs: number): void;
  /** How long nobody is to be started, from now on. */
  leftMs(): number;
  /** Something else is to run. */
  forget(): void;
}

export function openRestarts(): Restarts {
  let count = 0;
  let notBefore = 0;
  return {
    note(uptimeMs) {
      count = uptimeMs >= wellAfterMs ? 1 : count + 1;
      notBefore = performance.now() + backoffMs(backoff, count);
    },
    leftMs: () => Math.max(0, notBefore - performance.now()),
    forget() {
      count = 0;
      notBefore = 0;
    },
  };
}
