import type { Call } from "../../base/call.ts";
import type { PortStatistics } from "./port-counts.ts";

/** Who answers behind a port. */
export interface Backend {
  /** Unique among all there ever are: the container's. */
  id: string;
  host: string;
  port: number;
  /** Its address of IPv6 where `host` is none, for who cannot lead from one to the other. */
  otherHost?: string | undefined;
}

/** Connections to `port` of this host go to one of `backends`; to nobody when there are none. */
export interface Route {
  port: number;
  backends: readonly Backend[];
}

/** What one backend, over all its ports, has to do. */
export interface BackendLoad {
  /** Connections that are open. */
  open: number;
  /** Connections it was given since it was declared first. */
  total: number;
  /** Of these, those it did not accept, or broke off with an error. */
  failed: number;
}

/**
 * Carries connections from ports of this host to backends.
 *
 * It is told the whole each time, never a change: so that who comes after a crash has nothing to
 * find out first, and saying the same twice does nothing.
 */
export interface DataPlane {
  /** Which kind it is, for logs: `built-in`, `nftables`, `haproxy`, `none`. */
  readonly name: string;
  /**
   * Whether backends are reached at ports they publish on this host, or at their own addresses:
   * `routed` is from this host, where what they publish is what the engine's firewall lets through.
   */
  readonly reach: "published" | "routed" | "inside";
  /**
   * From the moment this resolves, new connections go to these backends alone. One that is not named
   * any more keeps the connections it has. A port without backends is not listened on, so that a
   * load balancer before it sees that nobody is there.
   */
  declare(routes: readonly Route[], call: Call): Promise<void>;
  /** By id, for those that are declared or still have connections. */
  loads(call: Call): Promise<ReadonlyMap<string, BackendLoad>>;
  /** What each port has carried. */
  statistics(call: Call): Promise<readonly PortStatistics[]>;
  /** Breaks off what is still open to a backend that is not declared any more. @returns how many */
  cut(id: string, call: Call): Promise<number>;
  /** Lets go of it: the traffic flows on where `keep` says so and the kind can. */
  close(options: { keep: boolean }): Promise<void>;
}
