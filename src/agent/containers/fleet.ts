import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { Observe } from "../event.ts";
import type { DataPlane } from "../proxy/data-plane.ts";
import type { HealthOptions } from "../readiness/health.ts";
import type { ContainerOptions } from "./container-options.ts";
import {
  type ContainerProbeOptions,
  deathOf,
  namedProbe,
  untilContainerReady,
} from "./container-probe.ts";
import type { Dismissals } from "./dismissals.ts";
import { type ExposedPorts, onlyExposed } from "./exposed-ports.ts";
import type { ReleaseImage } from "./release-image.ts";
import { type App, configOf, hasLabels, isReplicaOf, labelsOf, replicaLabels } from "./replica.ts";
import type { ReplicaWatch } from "./replica-watch.ts";
import { type Container, ContainerError, type ContainerRuntime, type Image } from "./runtime.ts";
import { addressOf, type Traffic, type TrafficPort } from "./traffic.ts";

export interface FleetOptions {
  app: App;
  container: ContainerOptions;
  health: HealthOptions;
  drainMs: number;
  /** For the health command. */
  environment: Environment;
}

export interface FleetParts {
  runtime: ContainerRuntime;
  plane: DataPlane;
  traffic: Traffic;
  watch: ReplicaWatch;
  dismissals: Dismissals;
  clock: Clock;
  logger: Logger;
  observe: Observe;
}

/** How one container of the app is started, proved, let into the traffic, and taken out of it. */
export interface Fleet {
  /** Whether a container is as one of this release would be started now. */
  isReplicaOf(image: ReleaseImage, container: Container): boolean;
  /** All containers of the app, whatever their state. */
  list(call: Call): Promise<Container[]>;
  /** One more replica, ready, and in the traffic. What fails leaves no container behind. */
  bringUp(image: ReleaseImage, index: number, call: Call): Promise<Container>;
  /** Waits until a container that runs is ready, and lets it into the traffic. */
  admit(container: Container, image: ReleaseImage, call: Call): Promise<void>;
  /** What is asked of a replica, to know how it is. */
  probeOf(container: Container, image: ReleaseImage, call: Call): Promise<ContainerProbeOptions>;
  /** No new connections to it; then waits for those it has, and stops it. It can be started again. */
  retire(container: Container, call: Call): Promise<void>;
  /** Makes it run again and serve. */
  revive(container: Container, image: ReleaseImage, call: Call): Promise<void>;
  remove(container: Container, call: Call): Promise<void>;
}

/** What `docker stop` waits for before it kills. */
const stopGraceMs = 10_000;
const failedStopGraceMs = 5_000;
const discardLimitMs = 30_000;

export function openFleet(options: FleetOptions, parts: FleetParts): Fleet {
  const { app, container: asked, health, drainMs, environment } = options;
  const { runtime, plane, traffic, watch, dismissals, clock, logger } = parts;
  const graceMs = plane.name === "none" ? drainMs : stopGraceMs;
  const isPublished = plane.reach !== "inside";
  const config = configOf(asked, isPublished);
  /** By their references: what has a digest does not change. */
  const images = new Map<string, Image>();
  let saidOf: string | undefined;
  let lastSecond = 0;
  return {
    isReplicaOf: (image, container) => isReplicaOf(container, app, image, config),
    list: (call) => runtime.list(labelsOf(app), call),
    bringUp,
    admit,
    probeOf,

    async retire(container, call) {
      watch.end(container.id);
      await traffic.withdraw([container.id], call);
      const left = await traffic.drain(container.id, drainMs, call);
      if (left > 0) {
        logger.warn("The drain time is over, and a replica is told to end with connections open", {
          ...{ container: container.name, connections: left, drainMs },
        });
      }
      await dismissals.note(container.id);
      await runtime.stop(container.id, graceMs, call);
      const cut = await traffic.cut(container.id, call);
      logger.info("Container stopped", { container: container.name, connections_cut: cut });
    },

    async revive(container, image, call) {
      // Nobody can take that back: the engine would end it later on, with whatever it serves by then.
      if (dismissals.has(container.id)) await runtime.stop(container.id, graceMs, call);
      await dismissals.forget(container.id);
      const now = await runtime.inspect(container.id, call);
      if (!now) {
        await bringUp(image, 0, call);
        return;
      }
      if (now.state !== "running") await runtime.start(container.id, call);
      await admit((await runtime.inspect(container.id, call)) ?? now, image, call);
    },

    async remove(container, call) {
      watch.end(container.id);
      await traffic.withdraw([container.id], call);
      await dismissals.note(container.id);
      await runtime.stop(container.id, failedStopGraceMs, call);
      await runtime.remove(container.id, { force: true }, call);
      await dismissals.forget(container.id);
    },
  };

  async function bringUp(image: ReleaseImage, index: number, call: Call): Promise<Container> {
    const name = nameFor(index);
    const on = await portsOf(image, call);
    const labels = replicaLabels(app, image, config, { index, at: clock.now() });
    const specification = {
      ...{ name, image: image.reference, command: asked.command, options: asked.runOptions },
      labels,
      publish: isPublished ? unique(on.map(({ containerPort }) => containerPort)) : [],
      alsoOnIpv6: plane.reach === "routed" && (await runtime.hasIpv6(asked.network, call)),
      network: asked.network,
    };
    logger.info("Starting new container", {
      ...{ image: image.reference, tag: image.tag, replica: index + 1, total: asked.replicas },
    });
    try {
      const id = await runtime.run(specification, call);
      const container = await runtime.inspect(id, call);
      if (container?.state !== "running") throw await deathOf(name, container, runtime, call);
      await admit(container, image, call);
      return container;
    } catch (error) {
      await discard(name, labels);
      throw error;
    }
  }

  async function admit(container: Container, image: ReleaseImage, call: Call): Promise<void> {
    const probe = await probeOf(container, image, call);
    await untilContainerReady(container, image.tag, probe, runtime, call);
    const named = await renamed(container, call);
    const ports = await portsOf(image, call);
    await traffic.admit([named], ports, call);
    watch.begin({
      ...{ container: named, tag: image.tag, probe: namedProbe(probe) },
      admit: (each) => traffic.admit([named], ports, each),
    });
    await refuseDead(named, call);
  }

  async function renamed(container: Container, call: Call): Promise<Container> {
    const { network, networkAlias } = asked;
    if (network === undefined || networkAlias === undefined) return container;
    // Whoever is renamed leaves the network for a moment, and its connections break.
    if (container.networks.get(network)?.includes(networkAlias)) return container;
    await runtime.rename(container.id, network, networkAlias, call);
    return (await runtime.inspect(container.id, call)) ?? container;
  }

  /** Of one that ends before it has the traffic no event is heeded. */
  async function refuseDead(container: Container, call: Call): Promise<void> {
    const { id, name } = container;
    const now = await runtime.inspect(id, call).catch((error) => {
      if (error instanceof ContainerError) return container; // nobody says that it has ended
      throw error;
    });
    if (now?.state === "running" && traffic.serving.has(id)) {
      if (now.health === "unhealthy") watch.told(id, false);
      return;
    }
    watch.end(id);
    await traffic.withdraw([id], call);
    throw await deathOf(name, now, runtime, call);
  }

  async function probeOf(container: Container, image: ReleaseImage, call: Call) {
    const on = await portsOf(image, call);
    const inner = unique(on.map(({ containerPort }) => containerPort));
    return {
      health,
      place: { directory: app.directory, environment },
      addresses: inner.map((port) => addressOf(container, port, plane.reach)),
      hasHealthcheck: (await imageOf(image, call)).hasHealthcheck,
    };
  }

  async function imageOf({ reference }: ReleaseImage, call: Call): Promise<Image> {
    const found = images.get(reference) ?? (await runtime.image(reference, call));
    if (found) {
      images.set(reference, found);
      return found;
    }
    throw new ContainerError("NO_IMAGE", `${reference} is not on this host any more`);
  }

  async function portsOf(image: ReleaseImage, call: Call): Promise<TrafficPort[]> {
    const { mappings } = asked;
    const isSaid = mappings.every(({ containerPort }) => containerPort !== undefined);
    const isAsked = mappings.length === 0 || !isSaid;
    const exposed = isAsked ? (await imageOf(image, call)).exposed : [];
    if (mappings.length === 0) return sayOnce(image, onlyExposed(exposed));
    return mappings.map(({ port, containerPort }) => ({
      port,
      containerPort: containerPort ?? onlyOne(exposed, port, image),
    }));
  }

  function sayOnce({ tag, digest }: ReleaseImage, found: ExposedPorts): TrafficPort[] {
    const { level, message, ports, exposed } = found;
    if (saidOf !== digest && plane.name !== "none") logger[level](message, { tag, exposed });
    saidOf = digest;
    return ports;
  }

  /** Two of one replica never begin in the same second. */
  function nameFor(index: number): string {
    lastSecond = Math.max(Math.floor(clock.now().getTime() / 1000), lastSecond + 1);
    return `${asked.baseName}-${lastSecond}-${index}`;
  }

  /**
   * Even when the call is over: what has failed must not be there at the next look. The name may be
   * another's, and that may be why it failed.
   */
  async function discard(name: string, labels: Readonly<Record<string, string>>): Promise<void> {
    const last = { signal: AbortSignal.timeout(discardLimitMs) };
    try {
      const left = await runtime.inspect(name, last);
      if (!left || !hasLabels(left, labels)) return;
      watch.end(left.id);
      await orLog(
        traffic.withdraw([left.id], last),
        "a container that failed may still have the traffic",
        { logger },
        last,
      );
      await dismissals.note(left.id);
      await runtime.remove(left.id, { force: true }, last);
      await dismissals.forget(left.id);
    } catch (error) {
      logger.error("a container that failed could not be removed", { container: name, error });
    }
  }
}

function onlyOne(exposed: readonly number[], port: number, { tag }: ReleaseImage): number {
  const [first] = exposed;
  if (exposed.length === 1 && first !== undefined) return first;
  const seen = exposed.length === 0 ? "no port" : `ports ${exposed.join(", ")}`;
  throw new ContainerError("NOT_STARTED", `the image of ${tag} exposes ${seen}`, {
    hint: `say which one is meant: --port ${port}:8080`,
  });
}

function unique(ports: readonly number[]): number[] {
  return [...new Set(ports)];
}

/** For what goes on whether or not it succeeds. */
export async function orLog(
  work: Promise<unknown>,
  what: string,
  { logger }: { logger: Logger },
  call: Call,
): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (!isEchoOf(call.signal, error)) logger.error(what, { error: messageOf(error) });
    return false;
  }
}
