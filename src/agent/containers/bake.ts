import { setTimeout as sleep } from "node:timers/promises";
import type { Call } from "../../base/call.ts";
import type { Logger } from "../../base/logger.ts";
import { isReleaseFault } from "../fault.ts";
import type { HealthOptions } from "../readiness/health.ts";
import { watchOver } from "../readiness/probe.ts";
import { ProbeError } from "../readiness/probe-error.ts";
import { askContainer, untilDead } from "./container-probe.ts";
import { compareErrorRates } from "./error-rate.ts";
import type { Fleet } from "./fleet.ts";
import type { ReleaseImage } from "./release-image.ts";
import type { Container, ContainerRuntime } from "./runtime.ts";
import type { Traffic } from "./traffic.ts";

export interface BakeParts {
  fleet: Fleet;
  runtime: ContainerRuntime;
  traffic: Traffic;
  logger: Logger;
}

/**
 * Watches the first new replicas in the traffic, beside all the old ones: whether they live, answer
 * their probes, and do not fail more often than the old ones do.
 *
 * @throws {ProbeError} `UNHEALTHY`
 */
export async function bakeReplicas(
  image: ReleaseImage,
  replicas: { fresh: readonly Container[]; old: readonly Container[] },
  health: HealthOptions,
  { fleet, runtime, traffic, logger }: BakeParts,
  call: Call,
): Promise<void> {
  if (health.bakeMs === 0) return;
  const { tag } = image;
  const { old } = replicas;
  const fresh = [...replicas.fresh]; // also those that a rollout counts as lost meanwhile
  logger.info("Bake: watching the first new replicas beside the old ones", {
    ...{ tag, bakeMs: health.bakeMs, replicas: fresh.length },
  });
  const [freshIds, oldIds] = [fresh, old].map((some) => some.map(({ id }) => id));
  const before = await traffic.loads(call);
  const probes = await Promise.all(fresh.map((one) => fleet.probeOf(one, image, call)));
  const over = new AbortController();
  const limited = { signal: AbortSignal.any([call.signal, over.signal]) };
  const askAll = async (_: unknown, each: Call) => {
    const now = await traffic.loads(each).catch(() => undefined); // a proxy's fault, and not theirs
    if (now) compareErrorRates(freshIds ?? [], oldIds ?? [], before, now);
    for (const [place, container] of fresh.entries()) {
      const probe = probes[place];
      if (probe) await askContainer(container, tag, probe, runtime, each);
    }
  };
  const watched = watchOver(askAll, { tag }, health, limited);
  const deaths = fresh.map((one) => untilDead(one, runtime, limited));
  try {
    await Promise.race([watched, ...deaths.map(asUnhealthy)]);
  } finally {
    over.abort();
    await Promise.allSettled([watched, ...deaths, sleep(0)]);
  }
}

function asUnhealthy(death: Promise<never>): Promise<never> {
  return death.catch((cause) => {
    if (!isReleaseFault(cause)) throw cause;
    throw new ProbeError("UNHEALTHY", `it got the traffic, and then ${cause.message}`, { cause });
  });
}
