import type { Call } from "../../base/call.ts";
import type { Credential } from "../../oci/credential.ts";
import { LogTailError } from "../log-tail-error.ts";

/**
 * `MISSING`: the program is not on PATH. `UNAVAILABLE`: its engine does not answer. `NO_IMAGE`,
 * `UNAUTHORIZED`: a pull was refused. `NO_CONTAINER`: it has been removed. `REFUSED`: anything else
 * the engine said no to. `NOT_STARTED`: the release's own fault, such as a container that ends.
 */
export class ContainerError extends LogTailError<
  | "MISSING"
  | "UNAVAILABLE"
  | "NO_IMAGE"
  | "UNAUTHORIZED"
  | "NO_CONTAINER"
  | "REFUSED"
  | "NOT_STARTED"
> {}

export const containerStates = [
  "created",
  "running",
  "paused",
  "restarting",
  "removing",
  "exited",
  "dead",
] as const;
export type ContainerState = (typeof containerStates)[number];

/** Where a port of a container is reached from this host. */
export interface Address {
  host: string;
  port: number;
}

/** One container, as the engine describes it. */
export interface Container {
  id: string;
  name: string;
  /** The reference it was started by. */
  image: string;
  /** Of the image's configuration, as the engine names it. */
  imageId: string;
  state: ContainerState;
  exitCode: number;
  oomKilled: boolean;
  /** What the image's own HEALTHCHECK says; `undefined` where there is none. */
  health: "starting" | "healthy" | "unhealthy" | undefined;
  startedAt: Date | undefined;
  restarts: number;
  labels: Readonly<Record<string, string>>;
  /** Of its first process on this host; `undefined` when it does not run. */
  pid: number | undefined;
  /** The TCP ports it publishes, by their number inside. */
  ports: ReadonlyMap<number, Address>;
  /** Its own address in the first of its networks that gives it one, and that of the way out. */
  ip: string | undefined;
  gateway: string | undefined;
  /** The same of IPv6. */
  ipv6: string | undefined;
  gatewayOfIpv6: string | undefined;
  /** The TCP ports it publishes on an address of IPv6, by their number inside. */
  portsOfIpv6: ReadonlySet<number>;
  /** What it is called by others in each of its networks. */
  networks: ReadonlyMap<string, readonly string[]>;
}

/** An image that is on this host. */
export interface Image {
  id: string;
  /** The TCP ports it says it listens on. */
  exposed: readonly number[];
  hasHealthcheck: boolean;
}

/** One name of an image on this host. */
export interface StoredImage {
  id: string;
  /** `host/repository@sha256:…` */
  reference: string;
}

export interface RunSpecification {
  name: string;
  /** A reference by digest. */
  image: string;
  labels: Readonly<Record<string, string>>;
  /** TCP ports of the container, each published on a free port of 127.0.0.1. */
  publish: readonly number[];
  /** And on one of ::1, so that the engine's firewall lets through what comes by IPv6. */
  alsoOnIpv6: boolean;
  network?: string | undefined;
  /** Checked options of the user's, for the engine's `run`. */
  options: readonly string[];
  /** Instead of the image's own command, where there is any. */
  command: readonly string[];
}

/** Something that happened to a container: `die`, `start`, `health_status: unhealthy` and so on. */
export interface ContainerEvent {
  id: string;
  action: string;
}

/** A line that a container has written. */
export interface LogLine {
  /** ISO 8601 in UTC, to the nanosecond: two of them compare as text. */
  at: string;
  stream: "stdout" | "stderr";
  text: string;
}

export interface LogOptions {
  /** So many of the newest; without it all. */
  tail?: number | undefined;
  /** None that was written before; ISO 8601. */
  since?: string | undefined;
  /** Whether it goes on until the container ends. */
  follow?: boolean | undefined;
}

export interface PullOptions {
  credential: Credential | undefined;
  /** Of the reference: whom the credential is for. */
  host: string;
  /** Whether the registry speaks plain HTTP, where the engine does not know by itself. */
  plainHttp: boolean;
}

/** An engine that runs containers. All waits end with their call. Every method throws `ContainerError`. */
export interface ContainerRuntime {
  readonly name: "docker" | "podman";
  /** What of its environment says where the engine is. */
  readonly variables: Readonly<Record<string, string>>;
  /** Of the engine; also how one asks whether it answers. */
  version(call: Call): Promise<string>;
  /** Whether the engine runs without root: then this host has no way to its containers' addresses. */
  isRootless(call: Call): Promise<boolean>;
  /** Whether containers in this network, or in the engine's usual one, have addresses of IPv6. */
  hasIpv6(network: string | undefined, call: Call): Promise<boolean>;
  pull(reference: string, options: PullOptions, call: Call): Promise<void>;
  image(reference: string, call: Call): Promise<Image | undefined>;
  /** Starts a container in the background. @returns its id */
  run(specification: RunSpecification, call: Call): Promise<string>;
  /** All that carry these labels, whatever their state; those that vanish meanwhile are left out. */
  list(labels: Readonly<Record<string, string>>, call: Call): Promise<Container[]>;
  inspect(id: string, call: Call): Promise<Container | undefined>;
  /** Starts one again that has ended. */
  start(id: string, call: Call): Promise<void>;
  /** Asks it to end, and kills it after `graceMs`. One that is gone is well. */
  stop(id: string, graceMs: number, call: Call): Promise<void>;
  /** Removes one that has ended, or, `force`, whatever it does. One that is gone is well. */
  remove(id: string, options: { force: boolean }, call: Call): Promise<void>;
  /** Of both streams, each in its order. */
  logs(id: string, options: LogOptions, call: Call): AsyncIterable<LogLine>;
  /** What it wrote last. */
  logTail(id: string, lines: number, call: Call): Promise<string[]>;
  /** Names it `alias` in `network`, where it is already, for others in that network. */
  rename(id: string, network: string, alias: string | undefined, call: Call): Promise<void>;
  /** Until the call ends; throws when the engine does. */
  events(labels: Readonly<Record<string, string>>, call: Call): AsyncIterable<ContainerEvent>;
  /** The names of images of `repository` (`host/repository`). */
  images(repository: string, call: Call): Promise<StoredImage[]>;
  /** Takes one name from an image, and the image with its last name; never one that is in use. */
  removeImage(reference: string, call: Call): Promise<void>;
}
