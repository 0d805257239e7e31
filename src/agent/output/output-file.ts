import { type FileHandle, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, settlesWithin } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { OutputEntry } from "./output-entry.ts";

const largestFileBytes = 5 * 1024 * 1024;
const mostWaitingCharacters = 1024 * 1024;
const writtenWithinMs = 100;
const betweenWarningsMs = 60_000;
const closingMs = 2_000;

/** Where lines go that nobody waits for. What a slow or a full disk does not take is left out. */
export interface OutputFile {
  write(entry: OutputEntry): void;
  /** Resolves when what was written is in the file, or cannot be. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** The file that is written now, and the full one before it. */
export function outputPaths(directory: string): [string, string] {
  const path = join(directory, ".dewy", "output.jsonl");
  return [path, `${path}.1`];
}

export function openOutputFile(
  directory: string,
  { logger, clock }: { logger: Logger; clock: Clock },
  largestBytes = largestFileBytes,
): OutputFile {
  const [path, full] = outputPaths(directory);
  let lines: string[] = [];
  let waiting = 0;
  let leftOut = 0;
  let toldAtMs = Number.NEGATIVE_INFINITY;
  let complaint = "";
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  return { write, flush, close: async () => void (await settlesWithin(flush(), closingMs, clock)) };

  function write(entry: OutputEntry): void {
    if (waiting > mostWaitingCharacters) {
      leftOut++;
      return;
    }
    const line = JSON.stringify(entry);
    lines.push(line);
    waiting += line.length;
    timer ??= setTimeout(() => void flush(), writtenWithinMs).unref();
  }

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    writing = writing.then(writeAll);
    return writing;
  }

  async function writeAll(): Promise<void> {
    if (lines.length === 0) return;
    const bytes = Buffer.from(`${lines.join("\n")}\n`);
    [lines, waiting] = [[], 0];
    tellLeftOut();
    try {
      await append(bytes);
      complaint = "";
    } catch (error) {
      if (messageOf(error) === complaint) return;
      complaint = messageOf(error);
      logger.warn("What the app writes cannot be kept", { error });
    }
  }

  /** Once a minute: who writes too fast does so for long. */
  function tellLeftOut(): void {
    const nowMs = clock.now().getTime();
    if (leftOut === 0 || nowMs - toldAtMs < betweenWarningsMs) return;
    logger.warn("Lines of the app were not kept: it writes too fast", { lines: leftOut });
    [leftOut, toldAtMs] = [0, nowMs];
  }

  async function append(bytes: Uint8Array): Promise<void> {
    let handle = await open(path, "a", 0o600);
    try {
      const { size } = await handle.stat();
      if (size > 0 && size + bytes.length > largestBytes) handle = await begunAnew(handle);
      await handle.appendFile(bytes);
    } finally {
      await handle.close();
    }
  }

  async function begunAnew(handle: FileHandle): Promise<FileHandle> {
    await rename(path, full);
    await handle.close();
    return open(path, "a", 0o600);
  }
}
