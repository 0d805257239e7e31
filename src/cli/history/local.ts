import { join } from "node:path";
import type { HistoryEntry } from "../../agent/history/entry.ts";
import { readHistory } from "../../agent/history/read-history.ts";
import { byTime, type HistoryFilter } from "../../agent/history/search.ts";
import { ConfigError, systemCodeOf } from "../../base/errors.ts";
import { statsOf } from "../../base/path-stats.ts";
import type { CommandContext } from "../command.ts";
import { newestOf } from "./newest.ts";
import { tableOf } from "./table.ts";

/** A table has to be in memory to have columns, so it shows no more unless it is asked to. */
export const linesShown = 100;

export interface Output {
  json: boolean;
  /** Only so many, the newest. */
  limit: number | undefined;
}

/** Prints what was written down in each of `directories` as one history, the newest last. */
export async function showLocal(
  directories: readonly string[],
  filter: HistoryFilter,
  { json, limit }: Output,
  context: CommandContext,
): Promise<void> {
  let unreadable = 0;
  const onUnreadable = () => unreadable++;
  const entries = byTime(
    directories.map((directory) => readHistory(directory, { ...filter, onUnreadable }, context)),
  );
  const shown =
    json && limit === undefined
      ? await printEach(entries, context)
      : await printNewest(entries, { json, limit }, context);
  if (shown === 0) context.note(await whyNothing(directories, context));
  if (unreadable > 0) {
    const lines = unreadable === 1 ? "1 line" : `${unreadable} lines`;
    context.note(`dewy: left out ${lines} of the history that cannot be read`);
  }
}

async function printEach(
  entries: AsyncIterable<HistoryEntry>,
  { print }: CommandContext,
): Promise<number> {
  let count = 0;
  for await (const entry of entries) {
    count++;
    print(JSON.stringify(entry));
  }
  return count;
}

async function printNewest(
  entries: AsyncIterable<HistoryEntry>,
  { json, limit = linesShown }: Output,
  { print, note }: CommandContext,
): Promise<number> {
  const { items, leftOut } = await newestOf(entries, limit);
  if (items.length === 0) return 0;
  const lines = json ? items.map((item) => JSON.stringify(item)) : tableOf(items);
  for (const line of lines) print(line);
  if (leftOut > 0 && !json) noteLeftOut(leftOut, note);
  return items.length;
}

/** Nobody should take a table that was cut for all there is. */
export function noteLeftOut(count: number, note: CommandContext["note"]): void {
  note(`dewy: left out ${count} older ones, which a larger --limit shows`);
}

async function whyNothing(directories: readonly string[], call: CommandContext): Promise<string> {
  for (const directory of directories) {
    for await (const _entry of readHistory(directory, {}, call)) {
      return "dewy: nothing in the history matches";
    }
  }
  return "dewy: there is no history yet: nothing has been deployed since it is kept";
}

/** @throws {ConfigError} when no app was ever deployed in `directory` */
export async function refuseOther(directory: string): Promise<void> {
  const isThere = await statsOf(join(directory, ".dewy")).then(
    (stats) => stats?.isDirectory(),
    (error) => systemCodeOf(error) !== "ENOTDIR", // reading it will say what is wrong
  );
  if (isThere) return;
  throw new ConfigError(`dewy has never deployed anything in ${directory}`, {
    hint: "name the directory of an app, as in: dewy history --directory /srv/app",
  });
}
