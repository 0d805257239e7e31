import * as v from "valibot";
import { DewyError, lineOf, messageOf } from "../../base/errors.ts";
import type { AgentEvent, AppIdentity, Deployment } from "../event.ts";
import type { DecidedBy } from "../ledger/ledger.ts";

const Time = v.pipe(v.string(), v.isoTimestamp());
const optionalText = v.optional(v.string());

/** What is worth remembering: how a deployment ended, a release that is not tried again, a hook that failed, an app that died. */
const historyEvents = [
  "deployed",
  "deployment failed",
  "rolled back",
  "release quarantined",
  "rollout halted",
  "hook failed",
  "app died",
] as const;

/**
 * One line of `history.jsonl`: who deployed what, where and when, and how it ended. Times are ISO
 * 8601 in UTC. What was not known when it happened is left out.
 */
export const HistoryEntry = v.object({
  version: v.literal(1),
  at: Time,
  event: v.picklist(historyEvents),
  app: v.string(),
  host: v.string(),
  mode: v.string(),
  /** Where the release came from, without secrets. */
  registry: optionalText,
  /** The version of dewy that did it. */
  dewy: optionalText,
  /** What made the agent do it; `undefined` for a death, which nobody asked for. */
  by: v.optional(v.picklist(["poll", "person", "wait", "crashes"])),
  /** Who asked for it, and the reason they gave. */
  person: optionalText,
  why: optionalText,
  tag: optionalText,
  previousTag: optionalText,
  artifact: optionalText,
  identity: optionalText,
  digest: optionalText,
  /** Absolute: where the release was unpacked. */
  directory: optionalText,
  /** What vouched for it. */
  verified: optionalText,
  hook: v.optional(v.picklist(["before-deploy", "after-deploy", "rollback"])),
  startedAt: v.optional(Time),
  durationMs: v.optional(v.number()),
  /** Of this release in a row. */
  failures: v.optional(v.number()),
  /** What was written last before the verdict, shortened. */
  logTail: v.optional(v.array(v.string())),
  /** In one line; of a death, how the app ended. */
  error: optionalText,
});
export type HistoryEntry = v.InferOutput<typeof HistoryEntry>;

/** What earlier events have told, and later ones need. */
export interface KnownSoFar {
  registry: string | undefined;
  dewy: string | undefined;
  /** Of what is in service. */
  tag: string | undefined;
}

/** No word of an entry is longer, so that a line of the file is short whatever a registry sends. */
const longestText = 1_000;
const mostTailLines = 20;
const longestTailLine = 200;

/** The entry for `event`, which happened at `now`; `undefined` when it is none that anybody will ask about later. */
export function entryOf(
  event: AgentEvent,
  { app, host, mode }: AppIdentity,
  known: KnownSoFar,
  now: Date,
): HistoryEntry | undefined {
  const facts = factsOf(event, known);
  if (facts === undefined) return undefined;
  const { registry, dewy } = known;
  const where = { app, host, mode, registry, dewy };
  return bounded({ version: 1, at: now.toISOString(), ...facts, ...where });
}

type Facts = Omit<HistoryEntry, "version" | "at" | "app" | "host" | "mode">;

function factsOf(event: AgentEvent, { tag }: KnownSoFar): Facts | undefined {
  switch (event.type) {
    case "deployed":
      return { event: "deployed", ...factsAbout(event.deployment) };
    case "deployment failed": {
      const { deployment, failures, error } = event;
      const how = { failures, error: sentenceOf(error) };
      return { event: "deployment failed", ...factsAbout(deployment), ...how };
    }
    case "rolled back": {
      const { tag: failed, to, reason, deaths } = event;
      const how = { failures: deaths, error: oneLine(reason) };
      return { event: "rolled back", by: "crashes", tag: to, previousTag: failed, ...how };
    }
    case "release quarantined": {
      const { tag: failed, reason, failures } = event;
      const tail = event.logTail
        .slice(-mostTailLines)
        .map((line) => line.slice(0, longestTailLine));
      const how = { failures, error: oneLine(reason), ...(tail.length > 0 && { logTail: tail }) };
      return { event: "release quarantined", ...decidedBy(event.by), tag: failed, ...how };
    }
    case "rollout halted":
      return { event: "rollout halted", tag: event.tag, error: oneLine(event.reason) };
    case "hook ended": {
      if (event.error === undefined) return undefined;
      const { hook, durationMs } = event;
      const how = { hook, durationMs, error: sentenceOf(event.error) };
      return { event: "hook failed", ...decidedBy(event.by), tag: event.tag, ...how };
    }
    case "app died":
      return { event: "app died", tag, error: oneLine(event.how) };
    default:
      return undefined;
  }
}

function factsAbout({ startedAt, by, ...deployment }: Deployment) {
  return { ...decidedBy(by), ...deployment, startedAt: startedAt.toISOString() };
}

function decidedBy({ kind, name, reason }: DecidedBy = { kind: "poll" }) {
  return { by: kind, person: name, why: reason === undefined ? undefined : oneLine(reason) };
}

function sentenceOf(error: unknown): string {
  return oneLine(error instanceof DewyError ? lineOf(error) : messageOf(error));
}

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, " ");

function bounded(entry: HistoryEntry): HistoryEntry {
  const known = Object.entries(entry).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    known.map(([name, value]) => [
      name,
      typeof value === "string" ? value.slice(0, longestText) : value,
    ]),
  ) as HistoryEntry;
}
