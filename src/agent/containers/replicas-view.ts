import { type Call, withTimeout } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Observe } from "../event.ts";
import type { BackendLoad } from "../proxy/data-plane.ts";
import type { ContainerOptions } from "./container-options.ts";
import { indexOf, labelKeys } from "./replica.ts";
import type { ReplicaWatch, Unwell } from "./replica-watch.ts";
import type { Restarts } from "./restarts.ts";
import type { Container, ContainerRuntime } from "./runtime.ts";
import type { Traffic } from "./traffic.ts";

/** One container of an app, and what it has to do. */
export interface SeenReplica extends Container {
  /** The release it was started from. */
  tag: string;
  /** Counts from 0. */
  index: number;
  /** Whether new connections go to it. */
  isServing: boolean;
  /** Since when it answers badly, and how. */
  unwell: Unwell | undefined;
  /** Those that are open now. */
  connections: number;
  /** How often one in its place has ended by itself, or could not be started, since the release began. */
  crashes: number;
  deployedAt: string;
  /** `host:port`, where its first port is reached from this host; empty where it is not. */
  address: string;
}

/** What is known without asking the engine. */
export interface ReplicaCounts {
  serving: number;
  asked: number;
  /** While replicas are exchanged for those of `tag`: so many of them are ready. */
  rollout?: { tag: string; ready: number };
  /** Since the release began; `nextStartAt` is when the next one is started. */
  crashes: number;
  nextStartAt?: Date;
}

/** The replicas of one app, for whoever asks. */
export interface ReplicasView {
  readonly engine: Pick<ContainerRuntime, "name" | "variables">;
  counts(): ReplicaCounts;
  /** All of them, as the engine told in the last seconds. @throws {ContainerError} also for so long */
  look(call: Call): Promise<readonly SeenReplica[]>;
}

export interface ViewParts {
  runtime: ReplicasView["engine"];
  list(call: Call): Promise<Container[]>;
  traffic: Traffic;
  restarts: Restarts;
  watch: Pick<ReplicaWatch, "unwell">;
  /** The one that is under way. */
  rollout(): ReplicaCounts["rollout"];
  clock: Clock;
}

/** Of the original: a scrape is no reason to ask the engine again. */
const freshMs = 5_000;
const longestLookMs = 2_000;

export function openReplicasView(
  { replicas: asked, mappings }: Pick<ContainerOptions, "replicas" | "mappings">,
  { runtime: engine, list, traffic, restarts, watch, rollout, clock }: ViewParts,
): ReplicasView & { /** Something has happened to them. */ forget(): void } {
  let last: { at: number; found: Promise<Container[]> } | undefined;

  return {
    engine,

    forget() {
      last = undefined;
    },

    counts() {
      const now = rollout();
      const leftMs = restarts.leftMs();
      return {
        ...{ serving: traffic.serving.size, asked, crashes: restarts.countOf() },
        ...(now && { rollout: now }),
        ...(leftMs > 0 && { nextStartAt: new Date(clock.now().getTime() + leftMs) }),
      };
    },

    async look(call) {
      const limited = <Result>(work: (each: Call) => Promise<Result>) =>
        withTimeout("the engine's list of containers", longestLookMs, call, work);
      const at = clock.now().getTime();
      if (!last || at - last.at >= freshMs || at < last.at) last = { at, found: limited(list) };
      const containers = await last.found;
      const loads = await limited((each) => traffic.loads(each)).catch(() => noLoads);
      return containers.map(seen(loads)).sort((a, b) => a.index - b.index);
    },
  };

  function seen(loads: ReadonlyMap<string, BackendLoad>) {
    return (container: Container): SeenReplica => {
      const { id, labels } = container;
      const index = indexOf(container);
      return {
        ...container,
        ...{ index, tag: labels[labelKeys.version] ?? "", crashes: restarts.countOf(index) },
        ...{ isServing: traffic.serving.has(id), unwell: watch.unwell(id) },
        connections: loads.get(id)?.open ?? 0,
        deployedAt: labels[labelKeys.deployedAt] ?? "",
        address: addressIn(container),
      };
    };
  }

  function addressIn({ ports, ip }: Container): string {
    const wanted = mappings[0]?.containerPort;
    const published = (wanted !== undefined && ports.get(wanted)) || [...ports.values()][0];
    if (published) return `${published.host}:${published.port}`;
    return ip && wanted !== undefined ? `${ip}:${wanted}` : "";
  }
}

const noLoads: ReadonlyMap<string, BackendLoad> = new Map();

/** Has whoever is told of a deployment know what came of it. */
export function withReplicas(view: Pick<ReplicasView, "counts">, observe: Observe): Observe {
  return (event) => {
    if (event.type !== "deployed") return observe(event);
    const { serving, asked } = view.counts();
    observe({ ...event, replicas: { serving, asked } });
  };
}
