import { networkInterfaces } from "node:os";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Backend, BackendLoad, DataPlane, Route } from "../proxy/data-plane.ts";
import { type Address, type Container, ContainerError } from "./runtime.ts";

/** A port of this host, and the port of the containers it leads to. */
export interface TrafficPort {
  port: number;
  containerPort: number;
}

/** Which containers have the traffic. Ids are of containers. */
export interface Traffic {
  /** Those that new connections go to. */
  readonly serving: ReadonlySet<string>;
  /** To each of `containers` too, or at its address as it is now. */
  admit(containers: readonly Container[], ports: readonly TrafficPort[], call: Call): Promise<void>;
  /** No new ones to these. */
  withdraw(ids: readonly string[], call: Call): Promise<void>;
  /**
   * Waits until a container that was withdrawn has no connection left, and breaks off what is left
   * after `drainMs`. @returns how many that were
   */
  drain(id: string, drainMs: number, call: Call): Promise<number>;
  loads(call: Call): Promise<ReadonlyMap<string, BackendLoad>>;
}

const betweenLooksMs = 100;

export function openTraffic(
  plane: DataPlane,
  { clock, logger }: { clock: Clock; logger: Logger },
): Traffic {
  let ports: readonly TrafficPort[] = [];
  const serving = new Map<string, readonly (Address & { port: number; route: number })[]>();

  return {
    get serving() {
      return new Set(serving.keys());
    },

    async admit(containers, toPorts, call) {
      ports = toPorts;
      for (const container of containers) serving.set(container.id, addressesOf(container));
      await plane.declare(routes(), call);
      for (const { name } of containers) {
        logger.info("Backend added", { container: name, total_backends: serving.size });
      }
    },

    async withdraw(ids, call) {
      const known = ids.filter((id) => serving.delete(id));
      if (known.length > 0) await plane.declare(routes(), call);
    },

    async drain(id, drainMs, call) {
      for (let leftMs = drainMs; ; leftMs -= betweenLooksMs) {
        const { open = 0 } = (await plane.loads(call)).get(id) ?? {};
        if (open === 0) return 0;
        if (leftMs <= 0) return plane.cut(id, call);
        await clock.sleep(Math.min(betweenLooksMs, leftMs), call);
      }
    },

    loads: (call) => plane.loads(call),
  };

  function routes(): Route[] {
    return ports.map(({ port }) => ({
      port,
      backends: [...serving].flatMap(([id, addresses]): Backend[] =>
        addresses.flatMap(({ route, host, port: inner }) =>
          route === port ? [{ id, host, port: inner }] : [],
        ),
      ),
    }));
  }

  function addressesOf(container: Container) {
    return ports.map(({ port: route, containerPort }) => ({
      ...addressOf(container, containerPort, plane.reach),
      route,
    }));
  }
}

/**
 * Where `containerPort` of it is reached: at its own address where this host is its way out, since an
 * engine's own proxy accepts for a container that does not; else at the port it publishes.
 *
 * @throws {ContainerError} `NOT_STARTED` when it is nowhere
 */
export function addressOf(
  { name, ports, ip, gateway }: Container,
  containerPort: number,
  reach: DataPlane["reach"],
): Address {
  if (ip && (reach === "inside" || isOurs(gateway))) return { host: ip, port: containerPort };
  const address = ports.get(containerPort);
  if (address) return address;
  throw new ContainerError(
    "NOT_STARTED",
    `${name} cannot be reached at its port ${containerPort}`,
    { hint: "leave --network host and --network none out of what is after --" },
  );
}

/** An engine of another user may hand out addresses that mean somebody else to this host. */
function isOurs(gateway: string | undefined): boolean {
  if (gateway === undefined) return false;
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return own.some(({ address }) => address === gateway);
}
