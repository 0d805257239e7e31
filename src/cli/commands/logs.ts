import * as v from "valibot";
import type { OutputEntry } from "../../agent/output/output-entry.ts";
import { readOutput } from "../../agent/output/read-output.ts";
import { isEchoOf } from "../../base/call.ts";
import { ConfigError, messageOf, systemCodeOf } from "../../base/errors.ts";
import { command } from "../command.ts";
import { placeFlags, placeOf } from "../control/place.ts";
import { localTime } from "../history/table.ts";

const linesShown = 100;

/** Prints what an app has written, whether an agent runs or not. */
export const logs = command({
  operands: "[app]",
  flags: {
    ...placeFlags,
    follow: { short: "f", help: "go on with what it writes from now on" },
    lines: {
      value: "COUNT",
      short: "n",
      help: `so many of the newest lines (default ${linesShown})`,
    },
  },
  epilogue:
    "Each line has its time, its release and generation, and whether it is one of the app's\n" +
    "standard output (out) or standard error (err). The newest 5 to 10 MB are kept.",
  input: v.strictObject({
    directory: v.optional(v.string()),
    config: v.optional(v.string()),
    app: v.optional(v.string()),
    json: v.optional(v.boolean(), false),
    follow: v.optional(v.boolean(), false),
    lines: v.optional(
      v.pipe(
        v.string(),
        v.regex(/^\d{1,5}$/, "write how many, such as 20; 99999 at the most"),
        v.transform(Number),
      ),
      String(linesShown),
    ),
    operands: v.union([v.tuple([]), v.tuple([v.string()])], "name one app"),
  }),

  async run({ json, follow, lines, operands: [named], app = named, ...asked }, context) {
    const { directory } = await placeOf({ ...asked, app }, context);
    let isEmpty = true;
    const show = (entry: OutputEntry) => {
      isEmpty = false;
      context.print(json ? JSON.stringify(entry) : lineOf(entry));
    };
    try {
      const wanted = { most: lines, follow };
      for await (const entry of readOutput(directory, wanted, context)) show(entry);
      if (isEmpty && lines > 0) context.note(`nothing that an app wrote is kept in ${directory}`);
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

function lineOf({ at, tag = "?", generation, stream, text }: OutputEntry): string {
  return `${localTime(at)} ${tag}#${generation} ${stream.slice(3)} ${plain(text)}`;
}

/** Words that came from an app must not steer the terminal; tabs are harmless. */
const plain = (text: string): string => text.replace(/(?!\t)[\p{Cc}\p{Cf}\u2028\u2029]/gu, "�");
