import type { Ledger, LedgerState } from "./ledger.ts";

/** A ledger that forgets with the process. */
export function fakeLedger(state: LedgerState = { version: 1, releases: [] }): Ledger {
  let current = state;
  return {
    get state() {
      return current;
    },
    async update(change) {
      current = change(current);
    },
  };
}
