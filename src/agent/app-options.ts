import type { Environment } from "../base/environment.ts";
import type { LogLevel } from "../base/logger.ts";
import type { Window } from "./choose/window.ts";
import type { ContainerOptions } from "./containers/container-options.ts";
import type { DiskRules } from "./deploy/disk-room.ts";
import type { HookOptions } from "./deploy/hooks.ts";
import type { Mode } from "./event.ts";
import type { GroupOptions } from "./groups/group.ts";
import type { WatchRules } from "./ledger/watch.ts";
import type { HealthOptions } from "./readiness/health.ts";
import type { VerifyOptions } from "./verify/index.ts";
import type { WaveOptions } from "./waves/waves.ts";

/** What one app is to be, complete: defaults are filled in, and each value is checked for its form. */
export interface AppOptions extends HookOptions {
  /** Unique in this process: for logs, notices, metrics. */
  name: string;
  mode: Mode;
  /** The URL where releases are announced. */
  registry: string;
  /** Each once and in order; none for a worker, and for assets. */
  ports: readonly number[];
  /** A program and its arguments; empty for assets. */
  command: readonly string[];
  /** Of an app of containers alone. */
  container?: ContainerOptions | undefined;
  /** Absolute. Holds `current`, `releases/` and `.dewy/`; commands and hooks are started in it. */
  directory: string;
  intervalMs: number;
  /** How long a replaced process may take to finish its requests. */
  drainMs: number;
  /** Whether the process is left to the next agent to end, when this one is told to. */
  handover: boolean;
  /** The URL of a cache that is shared with other hosts; `undefined` for the disk alone. */
  cache: string | undefined;
  /** URLs of whom to tell, in the order they were given. */
  notifiers: readonly string[];
  /** Whether notices tell the last lines of a release that failed. */
  noticeLogTail?: boolean | undefined;
  slot?: string | undefined;
  /** The form of a calendar version, such as `YYYY.0M.MICRO`. */
  calver?: string | undefined;
  /** The versions that may be deployed, such as `^1.4`. */
  constraint?: string | undefined;
  /** Whether the app and the hooks are started without the agent's own secrets. */
  scrubEnvironment: boolean;
  /** Whether the last of what the app writes is kept, for whoever asks; it is unless told otherwise. */
  keepOutput?: boolean | undefined;
  /** How a new release proves itself; without it, a process has to stay up for a second. */
  health?: HealthOptions | undefined;
  /** How often a release may fail by its own fault, before it is tried no more. */
  failureLimit: number;
  /** When a release that dies after its deployment is taken back; never without. */
  crashes?: WatchRules | undefined;
  /** When releases may be installed; at any time when there is none. */
  windows?: readonly Window[] | undefined;
  /** How old a release has to be. */
  minimumAgeMs?: number | undefined;
  /** The apps that run the same tag as this one, or none of them does. */
  group?: GroupOptions | undefined;
  /** In which order the hosts of a fleet install it; all at once when there is none. */
  waves?: WaveAsked | undefined;
  /** What it may take of the disk. */
  disk?: DiskRules | undefined;
  /** What has to vouch for a release, before anything is made of it. */
  verify?: VerifyOptions | undefined;
  environment: Environment;
  /** How requests introduce themselves. */
  userAgent: string;
}

export type WaveAsked = Omit<WaveOptions, "intervalMs">;

/** What all apps of one process share. */
export interface ProcessOptions {
  logLevel: LogLevel;
  logFormat: "text" | "json";
  /** `undefined` for none; without an endpoint, `/metrics` alone. */
  telemetry: { endpoint?: string | undefined; insecure: boolean } | undefined;
  adminPort: number;
}

/** Calls `listener` whenever somebody asks for the app to be restarted; returns what ends that. */
export type OnRestart = (listener: () => void) => () => void;
