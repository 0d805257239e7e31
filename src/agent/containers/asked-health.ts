import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { tellHealth } from "./reconcile.ts";
import type { ReplicaWatch } from "./replica-watch.ts";
import type { ContainerRuntime } from "./runtime.ts";

export interface AskedHealthParts {
  runtime: Pick<ContainerRuntime, "inspect">;
  watch: Pick<ReplicaWatch, "ids" | "told">;
  clock: Clock;
}

/** What runs for longer is heard of when the next one begins. */
const waitsMs = [0, 1_000, 4_000];

/**
 * Asks what the HEALTHCHECK of a replica has come to. Podman tells that one begins, and neither that it
 * has ended nor how: so it is asked a few times, and what was begun later is what counts.
 */
export function askedHealth({ runtime, watch, clock }: AskedHealthParts, call: Call) {
  const newest = new Map<string, symbol>();

  return async (id: string): Promise<void> => {
    const own = Symbol();
    newest.set(id, own);
    const isNewest = () => newest.get(id) === own;
    try {
      for (const ms of waitsMs) {
        if (ms > 0) await clock.sleep(ms, call);
        const now = isNewest() && watch.ids.has(id) && (await runtime.inspect(id, call));
        if (!now || !isNewest()) break;
        tellHealth(now, watch);
      }
    } finally {
      if (isNewest()) newest.delete(id);
    }
  };
}
