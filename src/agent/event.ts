import type { Digest } from "../oci/digest.ts";
import type { PassedOver } from "./choose/choose.ts";
import type { DecidedBy, Phase } from "./ledger/ledger.ts";
import type { PortStatistics } from "./proxy/port-counts.ts";
import type { VerifyError } from "./verify/verify-error.ts";

/** What the agent does with releases: keeps a process up, places files, or keeps containers up. */
export const modes = ["server", "assets", "container"] as const;
export type Mode = (typeof modes)[number];

/** One deployment, from the choice of a release to its commit or its undoing. */
export interface Deployment {
  tag: string;
  /** The tag that was active before; `undefined` for the first. */
  previousTag: string | undefined;
  /** The artifact's name and identity, as the registry announced them. */
  artifact: string;
  identity: string;
  /** Of the artifact's bytes; `undefined` when it did not come so far. */
  digest: Digest | undefined;
  /** Absolute, under `releases/`; `undefined` when it did not come so far. */
  directory: string | undefined;
  /** What vouched for it, in words; `undefined` where nothing did, or it did not come so far. */
  verified?: string | undefined;
  startedAt: Date;
  durationMs: number;
  /** What made the agent do it; the poll where nothing else is said. */
  by?: DecidedBy | undefined;
}

/**
 * Something that happened to one app. The log, the notices, the history and the metrics all get the
 * same facts. None of them holds a secret or a command line; what an app or a hook has written is only
 * in a `logTail`.
 */
export type AgentEvent =
  /** `tag` is the release that was active when the agent was last here. */
  | {
      type: "started";
      version: string;
      registry: string;
      ports: readonly number[];
      tag?: string | undefined;
    }
  /** The registry has answered, and a release was chosen or there is none yet. */
  | { type: "polled"; durationMs: number; tag: string | undefined }
  /** What the last choice did not take, each with its reason; told with every poll. */
  | { type: "releases passed over"; releases: readonly PassedOver[] }
  /** `failures` counts from 1 since the last success; `error` is a `DewyError` or a bug. */
  | { type: "poll failed"; error: unknown; failures: number }
  /** What the registry lets us ask until `resetAt`, where it tells. */
  | { type: "rate limit told"; remaining: number; limit: number; resetAt: Date }
  | { type: "fetched"; tag: string; artifact: string; sizeBytes: number; from: FetchedFrom }
  /** What vouches for a release was looked at; `outcome` is why it was refused, where it was. */
  | { type: "verified"; tag: string; outcome: "passed" | Lowercase<VerifyError["code"]> }
  | { type: "phase ended"; phase: Phase; tag: string; durationMs: number }
  | {
      type: "hook ended";
      hook: HookName;
      tag: string;
      durationMs: number;
      error?: unknown;
      by?: DecidedBy | undefined;
    }
  /** `at` is when, where it is told later: by the agent that follows one that was killed. */
  | {
      type: "deployed";
      deployment: Deployment;
      at?: Date | undefined;
      /** Of an app of containers: how many serve of those that were asked for. */
      replicas?: { serving: number; asked: number };
    }
  | { type: "deployment failed"; deployment: Deployment; error: unknown; failures: number }
  /** It was in service, died as often as it may, and was taken back for `to`, all by itself. */
  | {
      type: "rolled back";
      tag: string;
      to: string;
      reason: string;
      deaths: number;
    }
  /** It has failed as often as it may, and is not tried again by itself. */
  | {
      type: "release quarantined";
      tag: string;
      reason: string;
      failures: number;
      /** What its app or hook has written last, without the agent's own secrets. */
      logTail: readonly string[];
      /** What had made the agent try it, or what it was judged by. */
      by?: DecidedBy | undefined;
    }
  /** It was bad on too many hosts, and is held on all that have not installed it; one of them tells. */
  | { type: "rollout halted"; tag: string; reason: string; installed: number; hosts: number }
  /** A generation is in service; `tag` is unknown where the ledger was lost. */
  | { type: "app started"; reason: StartReason; tag: string | undefined; pid: number }
  | { type: "app died"; how: string }
  /** A container that serves answers badly; `isServing` when it has the traffic all the same. */
  | { type: "replica unwell"; replica: string; tag: string; reason: string; isServing: boolean }
  | { type: "replica well again"; replica: string; tag: string }
  /** All that each port has carried so far, told every few seconds. */
  | { type: "traffic carried"; ports: readonly PortStatistics[] }
  /** After failed polls or deployments all is well again. */
  | { type: "recovered"; failures: number }
  /** Told to end; `reason` names the signal. */
  | { type: "stopping"; reason: string };

export type FetchedFrom = "disk" | "cache" | "registry";
export type HookName = "before-deploy" | "after-deploy" | "rollback";
/** After a deployment, a SIGUSR1, a start of the agent, a death of the app, or its last one. */
export type StartReason = "deploy" | "signal" | "boot" | "death" | "rollback";

/** Takes an event in. Must neither throw nor wait: what takes time is queued behind it. */
export type Observe = (event: AgentEvent) => void;

/** Which app, on which host, an observer is told about. */
export interface AppIdentity {
  /** Unique on this host; by default the last part of the registry's place. */
  app: string;
  host: string;
  mode: Mode;
}
