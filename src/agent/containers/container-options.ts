import type { PortMapping } from "./port-mapping.ts";

export const dataPlanes = ["built-in", "nftables", "haproxy", "none"] as const;

/** What is said of an app of containers beyond what is said of any app. */
export interface ContainerOptions {
  runtime: "docker" | "podman";
  replicas: number;
  /** How many more than `replicas` there may be while they are replaced. */
  surge: number;
  /** Without a container port it is the one that the image exposes; without any, so is the port. */
  mappings: readonly PortMapping[];
  /** What carries the traffic to them. */
  proxy: (typeof dataPlanes)[number];
  /** The runtime API of the HAProxy that does. */
  proxySocket: string | undefined;
  /** Without traffic for so long a connection is closed; 0 for never. */
  proxyIdleMs: number;
  /** By which containers are told whom a connection is from. */
  proxyProtocol: "v2" | undefined;
  /** At a time, over all ports; without it, what the limit of open files allows. */
  maximumConnections: number | undefined;
  /** How often one that serves is asked again how it is; 0 for never. */
  healthEveryMs: number;
  /** A network they are in, and what they are called there once they are ready. */
  network: string | undefined;
  networkAlias: string | undefined;
  /** Instead of the image's command. */
  command: readonly string[];
  /** What follows `--`, checked. */
  runOptions: readonly string[];
  /** What the containers' names begin with. */
  baseName: string;
  /** Whether the containers end with the agent. */
  stopOnExit: boolean;
}
