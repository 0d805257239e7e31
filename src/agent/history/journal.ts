import { constants } from "node:fs";
import { type FileHandle, open, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncDirectory } from "../../base/atomic-file.ts";
import { systemCodeOf } from "../../base/errors.ts";
import { makeDirectory } from "../../base/make-directory.ts";
import { statsOf } from "../../base/path-stats.ts";

const largestJournalBytes = 10 * 1024 ** 2;
/** `.1` is the youngest of those that are full. */
const fullOnesKept = 4;
/** A line is much shorter, whatever is in it. */
export const longestLine = 64 * 1024;

/**
 * Every file that the history of the app in `directory` is in, the youngest first:
 * `.dewy/history.jsonl`, and those that became full before it, `history.jsonl.1` and on.
 */
export function journalPaths(directory: string): [string, ...string[]] {
  const path = join(directory, ".dewy", "history.jsonl");
  return [path, ...Array.from({ length: fullOnesKept }, (_, place) => `${path}.${place + 1}`)];
}

/**
 * Adds `lines` to the end of the journal in one write, and resolves when they are on disk. A journal
 * that would become too large is set aside first, and the oldest one let go.
 *
 * After a failure none of the lines is in it.
 */
export async function append(
  directory: string,
  lines: readonly string[],
  largestBytes = largestJournalBytes,
): Promise<void> {
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
  const paths = journalPaths(directory);
  await makeDirectory(dirname(paths[0]), 0o700);
  const { size } = (await statsOf(paths[0])) ?? { size: 0 };
  if (size > 0 && size + bytes.length > largestBytes) await setAside(paths);
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
  const handle = await open(paths[0], flags, 0o600);
  try {
    if ((await write(handle, bytes)) === 0) await syncDirectory(dirname(paths[0]));
  } finally {
    await handle.close();
  }
}

async function setAside(paths: readonly string[]): Promise<void> {
  for (let place = paths.length - 1; place > 0; place--) {
    await rename(paths[place - 1] ?? "", paths[place] ?? "").catch((error) => {
      if (systemCodeOf(error) !== "ENOENT") throw error;
    });
  }
}

/** @returns where the bytes begin */
async function write(handle: FileHandle, bytes: Uint8Array): Promise<number> {
  const from = await mend(handle);
  try {
    const { bytesWritten } = await handle.write(bytes);
    if (bytesWritten < bytes.length) throw new Error("there was room for a part of it only");
    await handle.sync();
    return from;
  } catch (error) {
    await handle.truncate(from).catch(() => {});
    throw error;
  }
}

/**
 * Ends the last line, or removes it where a crash or a full disk has left a part of it only, so that
 * the next one stands by itself. @returns the size
 */
async function mend(handle: FileHandle): Promise<number> {
  const { size } = await handle.stat();
  const tail = Buffer.alloc(Math.min(size, longestLine));
  await handle.read(tail, 0, tail.length, size - tail.length);
  const line = tail.subarray(tail.lastIndexOf("\n") + 1);
  if (line.length === 0) return size;
  const beginsHere = line.length < tail.length || line.length === size;
  if (beginsHere && !isWhole(line.toString())) {
    await handle.truncate(size - line.length);
    return size - line.length;
  }
  await handle.write("\n");
  return size + 1;
}

function isWhole(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
