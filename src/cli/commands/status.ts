import * as v from "valibot";
import { explain } from "../../agent/control/explain.ts";
import type { Situation } from "../../agent/control/situation.ts";
import { type CommandContext, command } from "../command.ts";
import { type AskedApps, placeFlags, placesOf } from "../control/place.ts";
import { situationOf } from "../control/situations.ts";
import { columns, localTime } from "../history/table.ts";

const Input = v.strictObject({
  directory: v.optional(v.string()),
  config: v.optional(v.string()),
  app: v.optional(v.string()),
  json: v.optional(v.boolean(), false),
  operands: v.tuple([]),
});

/** Prints a line for each app. */
export const status = command({
  flags: placeFlags,
  epilogue: "Where no agent runs, this is what the last one has left.",
  input: Input,

  async run({ json, ...asked }, context) {
    const situations = await situationsOf(asked, context);
    if (json) return context.print(JSON.stringify({ apps: situations }));
    const head = ["APP", "ACTIVE", "STATE", "SINCE", "REMARK"];
    for (const line of columns([head, ...situations.map(rowOf)])) context.print(line);
  },
});

/** Prints one sentence for each decision about each app. */
export const why = command({
  flags: placeFlags,
  input: Input,

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

function stateOf({ agent, mode, running, active }: Situation): string {
  if (!agent) return "no agent";
  if (mode === "assets") return active ? "in place" : "nothing yet";
  return running ? `pid ${running.pid}` : "not running";
}

function remarkOn({ attempt, poll, pinned, paused, uncovered }: Situation): string {
  const held = [
    ...(uncovered ? [`not verified: ${uncovered}`] : []),
    ...(paused ? ["paused"] : []),
    ...(pinned ? [`${pinned.tag} pinned`] : []),
  ];
  return [...held, ...troubleOf({ attempt, poll })].join("; ");
}

function troubleOf({ attempt, poll }: Pick<Situation, "attempt" | "poll">): string[] {
  if (attempt?.error) return [`${attempt.tag} failed: ${attempt.error}`];
  if (attempt) return [`deploying ${attempt.tag}: ${attempt.phase}`];
  return poll?.error ? [poll.error] : [];
}
