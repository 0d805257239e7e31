import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import * as v from "valibot";
import { type Call, isEchoOf } from "../../base/call.ts";
import { DewyError, messageOf, systemCodeOf } from "../../base/errors.ts";
import { linesOf } from "../../base/lines.ts";
import { HistoryEntry } from "./entry.ts";
import { journalPaths, longestLine } from "./journal.ts";
import { type HistoryFilter, matches } from "./search.ts";

export class HistoryError extends DewyError<"UNREADABLE"> {}

export interface ReadHistoryOptions extends HistoryFilter {
  /** Told of each line that is no entry, such as one from a newer version. */
  onUnreadable?: () => void;
}

/**
 * What was written down about the app in `directory`, the newest last; nothing where there is no
 * history. It may be written to meanwhile. Memory is constant.
 *
 * @throws {HistoryError}
 */
export async function* readHistory(
  directory: string,
  options: ReadHistoryOptions,
  call: Call,
): AsyncGenerator<HistoryEntry> {
  let journals: readonly FileHandle[] = [];
  try {
    journals = await openAll(directory);
    for (const journal of journals.toReversed()) yield* entriesIn(journal, options, call);
  } catch (error) {
    if (isEchoOf(call.signal, error) || systemCodeOf(error) === undefined) throw error;
    throw unreadable(directory, error);
  } finally {
    await Promise.all(journals.map((journal) => journal.close()));
  }
}

function unreadable(directory: string, cause: unknown): HistoryError {
  const isForbidden = ["EACCES", "EPERM"].includes(systemCodeOf(cause) ?? "");
  const hint = isForbidden ? "ask as the user that dewy runs as" : undefined;
  const message = `the history in ${directory} cannot be read: ${messageOf(cause)}`;
  return new HistoryError("UNREADABLE", message, { cause, hint });
}

/**
 * The journals, the youngest first. They are opened in this order so that none is missed when one is
 * set aside meanwhile: then the same file turns up twice, and is known by its number.
 */
async function openAll(directory: string): Promise<FileHandle[]> {
  const journals: FileHandle[] = [];
  const seen = new Set<string>();
  try {
    for (const path of journalPaths(directory)) {
      const journal = await openIfThere(path);
      if (!journal) continue;
      journals.push(journal);
      const { dev, ino } = await journal.stat({ bigint: true });
      if (seen.has(`${dev} ${ino}`)) await journals.pop()?.close();
      seen.add(`${dev} ${ino}`);
    }
    return journals;
  } catch (error) {
    await Promise.all(journals.map((journal) => journal.close()));
    throw error;
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function* entriesIn(
  journal: FileHandle,
  options: ReadHistoryOptions,
  { signal }: Call,
): AsyncGenerator<HistoryEntry> {
  const bytes = journal.createReadStream({ autoClose: false, signal });
  for await (const line of linesOf(bytes, longestLine)) {
    const entry = parsed(line);
    if (!entry) options.onUnreadable?.();
    else if (matches(entry, options)) yield entry;
  }
}

function parsed(line: string): HistoryEntry | undefined {
  try {
    const result = v.safeParse(HistoryEntry, JSON.parse(line));
    return result.success ? result.output : undefined;
  } catch {
    return undefined;
  }
}
