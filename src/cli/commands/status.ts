import * as v from "valibot";
import { explain } from "../../agent/control/explain.ts";
import type { Situation } from "../../agent/control/situation.ts";
import { type CommandContext, command } from "../command.ts";
import { type AskedApps, placeFlags, placesOf } from "../control/place.ts";
import { replicaRemarks, replicaRows, replicaState } from "../control/replica-table.ts";
import { situationOf } from "../control/situations.ts";
import { columns, localTime } from "../history/table.ts";
import { watched } from "../watched.ts";

const input = {
  directory: v.optional(v.string()),
  config: v.optional(v.string()),
  app: v.optional(v.string()),
  json: v.optional(v.boolean(), false),
  operands: v.tuple([]),
};

/** Prints a line for each app, and one for each container. */
export const status = command({
  flags: {
    ...placeFlags,
    watch: { short: "w", help: "show it anew each second, until you have seen enough" },
  },
  epilogue: "Where no agent runs, this is what the last one has left.",
  input: v.strictObject({ ...input, watch: v.optional(v.boolean(), false) }),

  async run({ json, watch, ...asked }, context) {
    const look = async () => {
      const situations = await situationsOf(asked, context);
      return json ? [JSON.stringify({ apps: situations })] : tableOf(situations);
    };
    if (watch) return watched(look, json ? { ...context, terminal: undefined } : context);
    for (const line of await look()) context.print(line);
  },
});

/** Prints one sentence for each decision about each app. */
export const why = command({
  flags: placeFlags,
  input: v.strictObject(input),

  async run({ json, ...asked }, context) {
    const situations = await situationsOf(asked, context);
    if (json) {
      const apps = situations.map((each) => ({
        app: each.app,
        sentences: explain(each, (time) => time),
      }));
      return context.print(JSON.stringify({ apps }));
    }
    for (const each of situations) {
      for (const sentence of explain(each, localTime)) {
        for (const line of columns([[`${each.app}:`, sentence]])) context.print(line);
      }
    }
  },
});

async function situationsOf(asked: AskedApps, context: CommandContext): Promise<Situation[]> {
  const places = await placesOf(asked, context);
  return Promise.all(places.map((place) => situationOf(place, context)));
}

function tableOf(situations: readonly Situation[]): string[] {
  const head = ["APP", "ACTIVE", "STATE", "SINCE", "REMARK"];
  const replicas = columns(replicaRows(situations));
  return [
    ...columns([head, ...situations.map(rowOf)]),
    ...(replicas.length > 0 ? ["", ...replicas] : []),
  ];
}

function rowOf(situation: Situation): string[] {
  const { app, active } = situation;
  return [
    app,
    active?.tag ?? "-",
    stateOf(situation),
    active ? localTime(active.since) : "-",
    remarkOn(situation),
  ];
}

function stateOf({ agent, mode, running, active, replicas }: Situation): string {
  if (!agent) return "no agent";
  if (replicas) return replicaState(replicas);
  if (mode === "assets") return active ? "in place" : "nothing yet";
  return running ? `pid ${running.pid}` : "not running";
}

function remarkOn(situation: Situation): string {
  const { pinned, paused, uncovered } = situation;
  const held = [
    ...(uncovered ? [`not verified: ${uncovered}`] : []),
    ...(paused ? ["paused"] : []),
    ...(pinned ? [`${pinned.tag} pinned`] : []),
  ];
  return [...held, ...replicaRemarks(situation), ...troubleOf(situation)].join("; ");
}

function troubleOf({ agent, attempt, poll, quarantined }: Situation): string[] {
  if (attempt && attempt.error === undefined) {
    const { tag, phase } = attempt;
    return [
      agent ? `deploying ${tag}: ${phase}` : `the agent ended while it deployed ${tag}: ${phase}`,
    ];
  }
  const wanted = [attempt, ...(poll?.passedOver ?? [])].map((one) => one?.tag);
  const bad = quarantined?.find(({ tag }) => wanted.includes(tag));
  if (bad) return [`${bad.tag} in quarantine: ${bad.reason}`];
  if (attempt) return [`${attempt.tag} failed: ${attempt.error}`];
  return poll?.error ? [poll.error] : [];
}
