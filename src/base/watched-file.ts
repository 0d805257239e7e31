import { watch } from "node:fs";
import { open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { collect } from "./bytes.ts";
import type { Call } from "./call.ts";
import type { Clock } from "./clock.ts";
import { messageOf } from "./errors.ts";
import type { Logger } from "./logger.ts";

/** The system may not tell: of a network disk, or where a link on the way leads elsewhere. */
const lookEveryMs = 5_000;
/** Who writes a file in place is not done before nothing has changed for so long. */
const settleMs = 300;
const largestFileBytes = 4 * 1024 ** 2;

export interface WatchedFileParts {
  clock: Clock;
  logger: Logger;
  /** What the file held when it was last read, so that no change since then is missed. */
  before: string;
}

/**
 * What is in the file at `path` each time it was written and came to rest, until the call ends; the
 * same again when that is what was written, or when it was touched.
 *
 * It may be written in place, replaced by a rename, or be a link, at any distance, to what is
 * replaced. A file that is gone or cannot be read is warned about once, and is no change.
 */
export async function* changesOf(
  path: string,
  { clock, logger, before }: WatchedFileParts,
  call: Call,
): AsyncGenerator<string> {
  const directory = watchDirectory(dirname(path));
  let marks = "";
  let problem: string | undefined;
  try {
    for (;;) {
      if ((await marksOf(path)) !== marks) {
        const isFirst = marks === "";
        marks = await settledMarks(path, clock, call);
        const found = await read(path);
        if (found.problem !== undefined && found.problem !== problem) {
          logger.warn("A file cannot be read; what it held last holds", { path, ...found });
        }
        problem = found.problem;
        if (found.text !== undefined && !(isFirst && found.text === before)) yield found.text;
      }
      await directory.change(clock, call);
    }
  } finally {
    directory.close();
  }
}

/** What differs when the file has changed, a link followed; without a file, a word that says why. */
async function marksOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (error) {
    return messageOf(error);
  }
}

async function settledMarks(path: string, clock: Clock, call: Call): Promise<string> {
  for (let marks = await marksOf(path); ; ) {
    await clock.sleep(settleMs, call);
    const later = await marksOf(path);
    if (later === marks) return marks;
    marks = later;
  }
}

type Found = { text: string; problem?: undefined } | { problem: string; text?: undefined };

async function read(path: string): Promise<Found> {
  try {
    const handle = await open(path);
    try {
      const bytes = handle.createReadStream({ autoClose: false });
      return { text: (await collect(bytes, largestFileBytes)).toString() };
    } finally {
      await handle.close();
    }
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

/** Wakes who waits when something in the directory has changed; where the system tells of it. */
function watchDirectory(path: string) {
  let changed = false;
  let wake = () => {};
  const watcher = watchIfPossible(path, () => {
    changed = true;
    wake();
  });

  return {
    /** Resolves after a change, or when it is time to look anyway. */
    async change(clock: Clock, { signal }: Call): Promise<void> {
      signal.throwIfAborted();
      const nap = new AbortController();
      wake = () => nap.abort();
      signal.addEventListener("abort", wake, { once: true });
      if (changed) wake();
      await clock.sleep(lookEveryMs, nap).catch(() => {});
      changed = false;
      signal.removeEventListener("abort", wake);
      signal.throwIfAborted();
    },
    close(): void {
      watcher?.close();
    },
  };
}

function watchIfPossible(path: string, onChange: () => void) {
  try {
    const watcher = watch(path, { persistent: false }, onChange);
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined; // no such directory, or no watch left to be had
  }
}
