import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import type { Clock } from "../../base/clock.ts";
import { systemCodeOf } from "../../base/errors.ts";
import { linesOf } from "../../base/lines.ts";
import { statsOf } from "../../base/path-stats.ts";
import type { Added } from "./line-writer.ts";

/** Two files of this size at the most; the older one goes when a third would begin. */
const fullBytes = 16 * 1024 * 1024;
const longestLine = 16 * 1024 * 1024;

/** Where the events are that were given up; and, one after another, why. */
export const deadLettersFile = "dead-letters.jsonl";
const fullFile = "dead-letters.1.jsonl";
/** Put there, by `dewy registry replay` or by hand, the events of such a file are sent again. */
export const replayFile = "replay.jsonl";
const fullReplayFile = "replay.1.jsonl";
const beingReplayed = "replaying.jsonl";

const Letter = v.object({ event: v.record(v.string(), v.unknown()) });

export interface DeadLetters {
  /** @throws the system's error when the letter cannot be written */
  add(event: string, why: { reason: string; attempts: number }): Promise<void>;
  /**
   * Gives each event that is to be sent again to `take`, and then forgets it; resolves to how many.
   * After a crash in between, they come again.
   *
   * @throws at the first that `take` does not write. The next replay goes on after it, or with it
   * where it was dropped. Call it only when those in memory are written: it lets go of their file.
   */
  replay(take: (event: string) => Promise<Added>): Promise<number>;
}

/** The dead letters of one endpoint, in `directory`. Its methods must not run at the same time. */
export function deadLettersIn(directory: string, clock: Clock): DeadLetters {
  const path = join(directory, deadLettersFile);
  let taken: Taken = { line: 0, events: 0 };

  return {
    async add(event, why) {
      const at = clock.now().toISOString();
      const line = `${JSON.stringify({ at, ...why, event: JSON.parse(event) })}\n`;
      const { size } = (await statsOf(path)) ?? { size: 0 };
      if (size > fullBytes) await rename(path, join(directory, fullFile));
      const handle = await open(path, "a", 0o600);
      try {
        await handle.writeFile(line);
        await handle.datasync();
      } catch (error) {
        // The next letter would go on in the part of this one that there was room for.
        const before = size > fullBytes ? 0 : size;
        await handle.truncate(before).catch(() => {});
        throw error;
      } finally {
        await handle.close();
      }
    },

    async replay(take) {
      const busy = join(directory, beingReplayed);
      let count = await replayBusy(busy, take);
      for (const name of [fullReplayFile, replayFile]) {
        if (await isMoved(join(directory, name), busy)) count += await replayBusy(busy, take);
      }
      return count;
    },
  };

  async function replayBusy(busy: string, take: (event: string) => Promise<Added>) {
    const isThere = (await statsOf(busy)) !== undefined;
    if (isThere) await replayFrom(busy, taken, take);
    await rm(busy, { force: true });
    const events = isThere ? taken.events : 0;
    taken = { line: 0, events: 0 };
    return events;
  }
}

/** How far this process has come in the file that is replayed: up to and with this line. */
interface Taken {
  line: number;
  events: number;
}

/** What is no event, such as a line that a full disk has cut, is passed over. */
async function replayFrom(
  path: string,
  taken: Taken,
  take: (event: string) => Promise<Added>,
): Promise<void> {
  let number = 0;
  const handle = await open(path);
  try {
    for await (const line of linesOf(handle.createReadStream({ autoClose: false }), longestLine)) {
      if (++number <= taken.line) continue;
      const event = eventIn(line);
      if (event === undefined) continue;
      const added = await take(event);
      if (added !== "dropped") {
        taken.line = number;
        taken.events++;
      }
      if (added !== "written") throw noRoom();
    }
  } finally {
    await handle.close();
  }
}

function noRoom(): Error {
  return new Error("they cannot be written down: free some space on the disk of the queue");
}

function eventIn(line: string): string | undefined {
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), Letter), line);
  return result.success ? JSON.stringify(result.output.event) : undefined;
}

async function isMoved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return false;
    throw error;
  }
}

/**
 * Has the dead letters in `directory` sent again by whoever serves it, now or at its next start.
 * Resolves to whether there were any.
 */
export async function requestReplay(directory: string): Promise<boolean> {
  const full = await isRequested(join(directory, fullFile), join(directory, fullReplayFile));
  const rest = await isRequested(join(directory, deadLettersFile), join(directory, replayFile));
  return full || rest;
}

/** Those of an earlier request are not overwritten: they go first, and are still to be sent. */
async function isRequested(from: string, to: string): Promise<boolean> {
  if ((await statsOf(to)) !== undefined) return true;
  return await isMoved(from, to);
}
