import type { Notification, NotifyBy } from "./notification.ts";

/** How a release has to prove itself. */
export interface HealthOptions {
  /** Asked by GET on the first port. */
  path?: string | undefined;
  /** The answers that will do. */
  status: readonly StatusRange[];
  /** A part of the answer's body or of one of its headers; `{tag}` and `{version}` stand for the release. */
  match?: string | undefined;
  /** For `sh -c`: well when it ends with status 0. */
  command?: string | undefined;
  /** Whether the first port speaks `grpc.health.v1.Health`. */
  grpc: boolean;
  /** How a new process says by itself that it is ready. */
  notify?: NotifyBy | undefined;
  /** Within which a new release has to be ready, and one that has the traffic may be unwell. */
  timeoutMs: number;
  /** How long a new process has to stay up before it counts as started. */
  minimumUptimeMs: number;
  /** How long it is watched beside the old one, before that one is let go; 0 for not at all. */
  bakeMs: number;
}

export interface StatusRange {
  from: number;
  to: number;
}

/** What is asked how it is. */
export interface ProbeTarget {
  /** The release. */
  tag: string;
  /** Of the leader of the new generation, which leads its session too; `undefined` for files. */
  pid?: number | undefined;
  /** Of the generation in service, which accepts on the same sockets. */
  rivalPid?: number | undefined;
  /** What it has said of itself, where that is asked for. */
  notification?: Notification | undefined;
}
