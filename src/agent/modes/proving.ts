import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { HealthOptions, ProbeTarget } from "../readiness/health.ts";
import { openProbe, untilReady, watchOver } from "../readiness/probe.ts";
import { ProbeError } from "../readiness/probe-error.ts";

/** How the releases of one app prove themselves, before they count. */
export interface Proving {
  /** @throws {ProbeError} `NOT_READY` */
  ready(target: ProbeTarget, call: Call): Promise<void>;
  /**
   * Watches what has the traffic, for as long as was asked for; `failed` as a `Replacement` has it.
   *
   * @throws {ProbeError} `UNHEALTHY`
   */
  bake(target: ProbeTarget, failed: Promise<Error | undefined>, call: Call): Promise<void>;
}

export interface ProvingOptions {
  /** Without it a release has nothing to prove. */
  health?: HealthOptions | undefined;
  ports: readonly number[];
  directory: string;
  environment: Environment;
}

export function openProving(
  { health, ports, ...place }: ProvingOptions,
  { clock, logger }: { clock: Clock; logger: Logger },
): Proving {
  const probe = health && openProbe(health, ports, place);
  return {
    async ready(target, call) {
      if (health && probe) await untilReady(probe, target, health.timeoutMs, call);
    },

    async bake(target, failed, call) {
      if (!health || health.bakeMs === 0) return;
      logger.info("Bake: watching the new release beside the old one", {
        ...{ tag: target.tag, pid: target.pid, bakeMs: health.bakeMs },
      });
      const over = new AbortController();
      const signal = AbortSignal.any([call.signal, over.signal]);
      const watched = probe
        ? watchOver(probe, target, health, { signal })
        : clock.sleep(health.bakeMs, { signal });
      try {
        const failure = await Promise.race([failed, watched.then(() => undefined)]);
        if (failure) throw diedInBake(failure);
        call.signal.throwIfAborted();
      } finally {
        over.abort();
        await watched.catch(() => {});
      }
    },
  };
}

function diedInBake(cause: Error): ProbeError {
  return new ProbeError("UNHEALTHY", `it got the traffic, and then ${messageOf(cause)}`, {
    cause,
    hint: "dewy logs shows what it wrote",
  });
}
