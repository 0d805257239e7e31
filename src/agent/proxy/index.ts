import type { Call } from "../../base/call.ts";
import { ConfigError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { ContainerOptions } from "../containers/container-options.ts";
import { openBuiltIn } from "./built-in.ts";
import type { DataPlane } from "./data-plane.ts";
import { openNoDataPlane } from "./none.ts";

export interface DataPlaneOptions extends Pick<ContainerOptions, "proxyIdleMs" | "mappings"> {
  /** Private to the agent, and kept from one to the next. */
  directory: string;
}

type Open = (
  options: DataPlaneOptions,
  parts: { logger: Logger },
  call: Call,
) => Promise<DataPlane>;

const dataPlanes: Record<ContainerOptions["proxy"], Open | undefined> = {
  "built-in": openBuiltIn,
  none: async () => openNoDataPlane(),
  nftables: undefined,
  haproxy: undefined,
};

/** @throws {ConfigError} when a port cannot be had, or the kind is not to be had on this host */
export async function openDataPlane(
  { proxy, ...options }: DataPlaneOptions & Pick<ContainerOptions, "proxy">,
  parts: { logger: Logger },
  call: Call,
): Promise<DataPlane> {
  const open = dataPlanes[proxy];
  if (!open) throw new ConfigError(`--proxy ${proxy}: TODO`);
  return open(options, parts, call);
}
