import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { ContainerOptions } from "../containers/container-options.ts";
import type { Observe } from "../event.ts";
import { openBuiltIn } from "./built-in.ts";
import type { DataPlane } from "./data-plane.ts";
import { openHaproxy } from "./haproxy.ts";
import { openNftables } from "./nftables.ts";
import { openNoDataPlane } from "./none.ts";
import { reported } from "./reported.ts";
import { succeeding } from "./succession.ts";

export interface DataPlaneOptions {
  proxy: ContainerOptions["proxy"];
  /** Said with `haproxy`, and with nothing else. */
  proxySocket: string | undefined;
  proxyIdleMs: number;
  proxyProtocol: ContainerOptions["proxyProtocol"];
  maximumConnections: number | undefined;
  /** Of this host. */
  ports: readonly number[];
  /** Private to the agent, and kept from one to the next. */
  directory: string;
}

export interface DataPlaneParts {
  logger: Logger;
  clock: Clock;
  observe: Observe;
  /** Of Dewy. */
  version: string;
}

/**
 * What was carried by another kind before is let go of as soon as this one carries it.
 *
 * @throws {ConfigError} when a port cannot be had, or the kind is not to be had on this host
 */
export async function openDataPlane(
  options: DataPlaneOptions,
  parts: DataPlaneParts,
  call: Call,
): Promise<DataPlane> {
  const plane = succeeding(await openKind(options, parts, call), options.directory, parts);
  return plane.name === "none" ? plane : reported(plane, parts);
}

async function openKind(
  { proxy, proxyIdleMs: idleMs, proxyProtocol, ...options }: DataPlaneOptions,
  parts: DataPlaneParts,
  call: Call,
): Promise<DataPlane> {
  switch (proxy) {
    case "built-in": {
      const { version } = parts;
      const { ports, directory, maximumConnections } = options;
      const own = { directory, ports, idleMs, maximumConnections, version };
      return openBuiltIn({ ...own, proxyProtocol: proxyProtocol !== undefined }, parts, call);
    }
    case "nftables":
      return openNftables(options, parts, call);
    case "haproxy": {
      const { ports, proxySocket: socket = "" } = options;
      return openHaproxy({ socket, ports }, parts, call);
    }
    case "none":
      return openNoDataPlane();
  }
}
