import * as v from "valibot";
import { modes } from "../event.ts";
import { Decision, DecisionAboutRelease } from "../ledger/ledger.ts";

const Time = v.pipe(v.string(), v.isoTimestamp());

const Tagged = v.object({
  ...{ tag: v.string(), since: Time, directory: v.string() },
  /** What vouched for it, in words. */
  verified: v.optional(v.string()),
});

const Replicas = v.object({
  /** Which one runs them, and the variables that say where it is. */
  engine: v.optional(
    v.object({
      runtime: v.picklist(["docker", "podman"]),
      environment: v.record(v.string(), v.string()),
    }),
  ),
  /** Those that new connections go to, and how many there are to be. */
  ...{ serving: v.number(), asked: v.number() },
  /** While they are exchanged for those of `tag`: so many of them are ready. */
  rollout: v.optional(v.object({ tag: v.string(), ready: v.number() })),
  /** How many have ended by themselves, or did not start, since the release began; the next one is started at `nextStartAt`. */
  crashes: v.optional(v.number()),
  nextStartAt: v.optional(Time),
  containers: v.array(
    v.object({
      ...{ id: v.string(), name: v.string(), index: v.number(), tag: v.string() },
      ...{ state: v.string(), isServing: v.boolean(), connections: v.number() },
      /** Of those in its place, since the release began. */
      crashes: v.number(),
      since: v.optional(Time),
      /** It answers badly. */
      unwell: v.optional(v.object({ since: Time, reason: v.string() })),
    }),
  ),
  /** Why the engine does not tell. */
  error: v.optional(v.string()),
});

/** What the running agent knows of one app, as it says it to whoever asks. Times are in ISO 8601. */
export const Situation = v.object({
  app: v.string(),
  directory: v.string(),
  /** Not known where neither an agent runs nor a file describes the app. */
  mode: v.optional(v.picklist(modes)),
  /** Without secrets. */
  registry: v.optional(v.string()),
  /** `undefined` when no agent runs, and this is what the last one left in its ledger. */
  agent: v.optional(v.object({ pid: v.number(), version: v.string(), since: Time })),
  /** The apps that it moves together with, in the order in which they do. */
  group: v.optional(v.object({ name: v.string(), apps: v.array(v.string()) })),
  active: v.optional(Tagged),
  /** Why the policy of today would not let in what is active. */
  uncovered: v.optional(v.string()),
  lastGood: v.optional(Tagged),
  /** The process in service; none for assets. */
  running: v.optional(v.object({ pid: v.number(), since: Time })),
  /** Of an app of containers. */
  replicas: v.optional(Replicas),
  /** The deployment that is under way, or that failed; with a `retryAt` it is tried again by itself. */
  attempt: v.optional(
    v.object({
      tag: v.string(),
      phase: v.string(),
      startedAt: Time,
      failures: v.number(),
      error: v.optional(v.string()),
      retryAt: v.optional(Time),
    }),
  ),
  /** The last look at the registry; `error` is why it failed, or why its answer is an old one. */
  poll: v.optional(
    v.object({
      at: Time,
      tag: v.optional(v.string()),
      passedOver: v.array(v.object({ tag: v.string(), reason: v.string() })),
      error: v.optional(v.string()),
    }),
  ),
  nextPollAt: v.optional(Time),
  /** The release that was chosen, and is not to be installed yet. */
  waiting: v.optional(
    v.object({
      tag: v.string(),
      reason: v.string(),
      until: v.optional(v.union([Time, v.undefined()])),
    }),
  ),
  /** What people have decided, as far as it holds. */
  pinned: v.optional(DecisionAboutRelease),
  paused: v.optional(Decision),
  skipped: v.optional(v.array(DecisionAboutRelease)),
  /** What has failed too often, and is not tried again by itself. */
  quarantined: v.optional(
    v.array(
      v.object({
        ...{ tag: v.string(), reason: v.string(), at: Time, failures: v.number() },
        logTail: v.array(v.string()),
      }),
    ),
  ),
});
export type Situation = v.InferOutput<typeof Situation>;
