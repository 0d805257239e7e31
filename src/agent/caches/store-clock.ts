import { randomUUID } from "node:crypto";
import type { Call } from "../../base/call.ts";
import type { ObjectStore } from "../../objects/object-store.ts";

/** The time as the store has it. */
export interface StoreClock {
  /** In milliseconds since 1970. @throws as the store does */
  nowMs(call: Call): Promise<number>;
}

/** A store's clock is not far from true, and this process's has no fits: seldom is enough. */
const recheckMs = 3_600_000;

/**
 * Reads the store's clock off an object that is written for it: hosts whose clocks differ have to
 * agree how old an entry is.
 */
export function storeClock(store: ObjectStore, key: string): StoreClock {
  let known: { offsetMs: number; atMs: number } | undefined;

  return {
    async nowMs(call) {
      if (known === undefined || performance.now() - known.atMs > recheckMs) {
        await store.put(key, Buffer.from(randomUUID()), {}, call);
        const stat = await store.stat(key, call);
        const atMs = performance.now();
        if (stat) known = { offsetMs: stat.modifiedAt.getTime() - atMs, atMs };
      }
      return performance.now() + (known?.offsetMs ?? 0);
    },
  };
}
