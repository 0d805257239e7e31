import { type FileHandle, open } from "node:fs/promises";
import * as v from "valibot";
import type { Bytes } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { systemCodeOf } from "../../base/errors.ts";
import { linesOf } from "../../base/lines.ts";
import { statsOf } from "../../base/path-stats.ts";
import { OutputEntry } from "./output-entry.ts";
import { outputPaths } from "./output-file.ts";

const longestLine = 64 * 1024;
const betweenLooksMs = 250;

export interface ReadOutputOptions {
  /** So many lines of the past. */
  most: number;
  /** Of the past, none before. */
  since?: Date | undefined;
  /** Whether it goes on with what is written from now on, until the call ends. */
  follow: boolean;
}

/** What the app in `directory` has written, each line once and in order, whoever writes meanwhile. */
export async function* readOutput(
  directory: string,
  { most, since, follow }: ReadOutputOptions,
  { clock, ...call }: Call & { clock: Clock },
): AsyncGenerator<OutputEntry> {
  const [path, full] = outputPaths(directory);
  const handle = await opened(path);
  const end = handle ? await endOfLines(handle) : 0;
  const before = await opened(full);
  const last: string[] = [];
  try {
    if (before && !(await isSame(before, handle))) await addLines(between(before), most, last);
    if (handle) await addLines(between(handle, end), most, last);
  } finally {
    await before?.close();
    if (!follow) await handle?.close();
  }
  for (const line of last) {
    const [entry] = entryOf(line);
    if (entry && !(since && new Date(entry.at) < since)) yield entry;
  }
  if (!follow) return;
  for await (const line of linesOf(growing(path, handle, end, clock, call), longestLine)) {
    yield* entryOf(line);
  }
}

async function addLines(bytes: Bytes, most: number, last: string[]): Promise<void> {
  for await (const line of linesOf(bytes, longestLine)) {
    last.push(line);
    if (last.length > most) last.shift();
  }
}

/** Goes over to the next file when the one it reads was set aside, after its end. */
async function* growing(
  path: string,
  first: FileHandle | undefined,
  from: number,
  clock: Clock,
  call: Call,
): Bytes {
  let handle = first;
  let position = from;
  try {
    for (;;) {
      const isOver = handle === undefined || (await isSetAside(handle, path));
      if (handle) {
        for await (const bytes of between(handle, undefined, position)) {
          position += bytes.length;
          yield bytes;
        }
      }
      if (isOver) {
        await handle?.close();
        [handle, position] = [undefined, 0];
        handle = await opened(path);
      }
      await clock.sleep(betweenLooksMs, call);
    }
  } finally {
    await handle?.close();
  }
}

/** What is in the file now, or up to `end`. */
async function* between(handle: FileHandle, end = Number.MAX_SAFE_INTEGER, from = 0): Bytes {
  for (let position = from; position < end; ) {
    const buffer = Buffer.alloc(Math.min(longestLine, end - position));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** After the last line that is whole: somebody may be writing the next one. */
async function endOfLines(handle: FileHandle): Promise<number> {
  const { size } = await handle.stat();
  const from = Math.max(0, size - longestLine);
  const buffer = Buffer.alloc(size - from);
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, from);
  return from + buffer.subarray(0, bytesRead).lastIndexOf("\n") + 1;
}

async function isSetAside(handle: FileHandle, path: string): Promise<boolean> {
  const [now, own] = await Promise.all([statsOf(path), handle.stat()]);
  return now?.ino !== own.ino;
}

async function isSame(one: FileHandle, other: FileHandle | undefined): Promise<boolean> {
  const [first, second] = await Promise.all([one.stat(), other?.stat()]);
  return first.ino === second?.ino;
}

async function opened(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** A line that a kill or a full disk has cut is none. */
function entryOf(line: string): OutputEntry[] {
  try {
    return [v.parse(OutputEntry, JSON.parse(line))];
  } catch {
    return [];
  }
}
