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
  /** Whether it has the traffic at the address it has now: one that was started again has another. */
  reaches(container: Container): boolean;
  /** To each of `containers` too, or at its address as it is now. */
  admit(containers: readonly Container[], ports: readonly TrafficPort[], call: Call): Promise<void>;
  /** No new ones to these, even where an earlier attempt to say so has failed. */
  withdraw(ids: readonly string[], call: Call): Promise<void>;
  /**
   * Waits until a container that was withdrawn has no connection left, at most for `drainMs`.
   * @returns how many are left
   */
  drain(id: string, drainMs: number, call: Call): Promise<number>;
  /** Breaks off what one that was withdrawn still has. @returns how many connections that were */
  cut(id: string, call: Call): Promise<number>;
  loads(call: Call): Promise<ReadonlyMap<string, BackendLoad>>;
}

const betweenLooksMs = 100;

export function openTraffic(
  plane: DataPlane,
  { clock, logger }: { clock: Clock; logger: Logger },
): Traffic {
  const serving = new Map<string, readonly Reached[]>();
  let wanted = 0;
  let declared = 0;

  return {
    get serving() {
      return new Set(serving.keys());
    },

    reaches(container) {
      return (serving.get(container.id) ?? []).every(({ containerPort, host, port }) =>
        isSame(addressOf(container, containerPort, plane.reach), { host, port }),
      );
    },

    async admit(containers, ports, call) {
      for (const one of containers) serving.set(one.id, addressesOf(one, ports));
      try {
        await declare(call);
      } catch (error) {
        for (const { id } of containers) serving.delete(id);
        throw error;
      }
      for (const { name } of containers) {
        logger.info("Backend added", { container: name, total_backends: serving.size });
      }
    },

    async withdraw(ids, call) {
      const known = ids.filter((id) => serving.delete(id));
      if (known.length > 0 || declared < wanted) await declare(call);
    },

    async drain(id, drainMs, call) {
      let known = 0;
      for (let leftMs = drainMs; ; leftMs -= betweenLooksMs) {
        const begunAt = performance.now();
        const seen = await openOf(id, call);
        leftMs -= performance.now() - begunAt;
        known = seen.open ?? known;
        if (seen.open === 0) return 0;
        if (leftMs <= 0) {
          const { error } = seen;
          if (error) logger.warn("Connections cannot be counted", { container: id, error });
          return known;
        }
        await clock.sleep(Math.min(betweenLooksMs, leftMs), call);
      }
    },

    cut: (id, call) => plane.cut(id, call),
    loads: (call) => plane.loads(call),
  };

  /** What failed may have been heard or not: until the next one succeeds nobody knows who has the traffic. */
  async function declare(call: Call): Promise<void> {
    const mine = ++wanted;
    await plane.declare(routes(), call);
    declared = Math.max(declared, mine);
  }

  /** Where nobody can tell it may have some. */
  async function openOf(id: string, call: Call): Promise<{ open?: number; error?: unknown }> {
    try {
      return { open: (await plane.loads(call)).get(id)?.open ?? 0 };
    } catch (error) {
      call.signal.throwIfAborted();
      return { error };
    }
  }

  function routes(): Route[] {
    const byPort = new Map<number, Backend[]>();
    for (const [id, addresses] of serving) {
      for (const { route, host, port, otherHost } of addresses) {
        byPort.set(route, [...(byPort.get(route) ?? []), { id, host, port, otherHost }]);
      }
    }
    return [...byPort].map(([port, backends]) => ({ port, backends }));
  }

  function addressesOf(container: Container, ports: readonly TrafficPort[]): Reached[] {
    return ports.map(({ port: route, containerPort }) => ({
      ...addressOf(container, containerPort, plane.reach),
      ...{ route, containerPort, otherHost: otherHostOf(container, containerPort, plane.reach) },
    }));
  }
}

/** Where one container is reached by who comes to the port `route` of this host. */
interface Reached extends Address {
  route: number;
  containerPort: number;
  /** By IPv6, where it is. */
  otherHost: string | undefined;
}

const isSame = (a: Address, b: Address) => a.host === b.host && a.port === b.port;

/**
 * Where `containerPort` of it is reached: at its own address where this host is its way out, since an
 * engine's own proxy accepts for a container that does not; else at the port it publishes, by who can
 * do with that.
 *
 * @throws {ContainerError} `NOT_STARTED` when it is nowhere, `REFUSED` when not where it must be
 */
export function addressOf(
  { name, ports, ip, gateway }: Container,
  containerPort: number,
  reach: DataPlane["reach"],
): Address {
  if (ip && (reach === "inside" || isOurs(gateway))) return { host: ip, port: containerPort };
  if (reach === "routed") {
    throw new ContainerError("REFUSED", `${name} has no address that this host leads to`, {
      hint: "use an engine that runs as root, and a bridge network of its own; or --proxy built-in",
    });
  }
  const address = ports.get(containerPort);
  if (address) return address;
  throw new ContainerError(
    "NOT_STARTED",
    `${name} cannot be reached at its port ${containerPort}`,
    { hint: "leave --network host and --network none out of what is after --" },
  );
}

/** Its address of IPv6, where this host leads there and the engine's firewall lets it. */
function otherHostOf(
  { ipv6, gatewayOfIpv6, portsOfIpv6 }: Container,
  containerPort: number,
  reach: DataPlane["reach"],
): string | undefined {
  const isLed = reach === "routed" && isOurs(gatewayOfIpv6) && portsOfIpv6.has(containerPort);
  return isLed ? ipv6 : undefined;
}

/** An engine of another user may hand out addresses that mean somebody else to this host. */
function isOurs(gateway: string | undefined): boolean {
  if (gateway === undefined) return false;
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return own.some(({ address }) => address === gateway);
}
