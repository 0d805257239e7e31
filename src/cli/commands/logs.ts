import * as v from "valibot";
import type { ReplicaLine } from "../../agent/containers/read-container-output.ts";
import { ControlError } from "../../agent/control/control-error.ts";
import type { Situation } from "../../agent/control/situation.ts";
import type { OutputEntry } from "../../agent/output/output-entry.ts";
import { readOutput } from "../../agent/output/read-output.ts";
import { isEchoOf } from "../../base/call.ts";
import { ConfigError, messageOf, systemCodeOf } from "../../base/errors.ts";
import { type CommandContext, command } from "../command.ts";
import { containerOutput, isOfContainers, lastFailed } from "../control/container-output.ts";
import { placeFlags, placeOf } from "../control/place.ts";
import { situationOf } from "../control/situations.ts";
import { parseSince } from "../history/since.ts";
import { localTime } from "../history/table.ts";

const linesShown = 100;
const mostLines = 99_999;

interface Wanted {
  json: boolean;
  follow: boolean;
  most: number;
  since: Date | undefined;
}

/** Prints what an app has written, whether an agent runs or not. */
export const logs = command({
  operands: "[app]",
  flags: {
    ...placeFlags,
    follow: { short: "f", help: "go on with what it writes from now on" },
    since: {
      value: "TIME",
      help: "nothing older than so long ago (1h), or than a day or a time (2026-11-01)",
    },
    lines: {
      value: "COUNT",
      short: "n",
      help: `so many of the newest lines (default ${linesShown}; with --since all)`,
    },
  },
  epilogue:
    "Each line has its time, its release, its generation or replica, and whether it is one of the\n" +
    "app's standard output (out) or standard error (err). Of a process the newest 5 to 10 MB are\n" +
    "kept, of a container what its engine keeps.",
  input: v.strictObject({
    directory: v.optional(v.string()),
    config: v.optional(v.string()),
    app: v.optional(v.string()),
    json: v.optional(v.boolean(), false),
    follow: v.optional(v.boolean(), false),
    since: v.optional(v.string()),
    lines: v.optional(
      v.pipe(
        v.string(),
        v.regex(/^\d{1,5}$/, `write how many, such as 20; ${mostLines} at the most`),
        v.transform(Number),
      ),
    ),
    operands: v.union([v.tuple([]), v.tuple([v.string()])], "name one app"),
  }),

  async run({ json, follow, ...input }, context) {
    const { lines, since: from, operands, app = operands[0], ...asked } = input;
    const since = from === undefined ? undefined : parseSince(from, context.clock.now());
    const most = lines ?? (since ? mostLines : linesShown);
    const place = await placeOf({ ...asked, app }, context);
    try {
      const situation = await situationOf(place, context).catch((error) => {
        if (error instanceof ControlError) return place;
        throw error;
      });
      const show = (await isOfContainers(situation)) ? showContainers : showProcess;
      await show(situation, { json, follow, most, since }, context);
    } catch (error) {
      if (isEchoOf(context.signal, error)) return;
      if (systemCodeOf(error) !== "EACCES") throw error;
      throw new ConfigError(`what the app wrote cannot be read: ${messageOf(error)}`, {
        cause: error,
        hint: "call it by sudo, or as the user that the agent runs as",
      });
    }
  },
});

async function showProcess(
  { directory }: Situation,
  { json, ...wanted }: Wanted,
  context: CommandContext,
): Promise<void> {
  let isEmpty = true;
  for await (const entry of readOutput(directory, wanted, context)) {
    isEmpty = false;
    context.print(json ? JSON.stringify(entry) : lineOf(entry));
  }
  if (isEmpty && wanted.most > 0) {
    context.note(`nothing that an app wrote is kept in ${directory}`);
  }
}

/** What has failed last comes first: nothing else is left of it. */
async function showContainers(
  situation: Situation,
  { json, ...wanted }: Wanted,
  context: CommandContext,
): Promise<void> {
  const failed = lastFailed(situation);
  const { most, since } = wanted;
  const tail = failed && !(since && new Date(failed.at) < since) ? failed.logTail : [];
  let isEmpty = true;
  const show = (entry: object, line: string) => {
    isEmpty = false;
    context.print(json ? JSON.stringify(entry) : line);
  };
  for (const text of tail.slice(Math.max(0, tail.length - most))) {
    const { at = "", tag } = failed ?? {};
    show({ at, tag, failed: true, text }, `${localTime(at)} ${tag} failed ${plain(text)}`);
  }
  for await (const line of containerOutput(situation, wanted, context)) {
    show(line, replicaLine(line));
  }
  if (isEmpty && most > 0) {
    context.note(`no container of the app in ${situation.directory} has written anything`);
  }
}

function lineOf({ at, tag = "?", generation, stream, text }: OutputEntry): string {
  return `${localTime(at)} ${tag}#${generation} ${stream.slice(3)} ${plain(text)}`;
}

function replicaLine({ at, tag, replica, stream, text }: ReplicaLine): string {
  return `${localTime(at)} ${tag} ${replica} ${stream.slice(3)} ${plain(text)}`;
}

/** Words that came from an app must not steer the terminal; tabs are harmless. */
const plain = (text: string): string => text.replace(/(?!\t)[\p{Cc}\p{Cf}\u2028\u2029]/gu, "�");
