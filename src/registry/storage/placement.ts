import { closeSync, fsync, openSync, renameSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { systemCodeOf } from "../../base/errors.ts";
import type { PlacedStep } from "../storage-driver.ts";
import {
  type FailureOfOne,
  failureOf,
  ifThere,
  inDirectory,
  toldOf,
  writeWhole,
} from "./file-steps.ts";
import type { MadeDirectories } from "./made-directories.ts";

/** A file that is to be put in its place: a draft with these bytes, or one that is there. */
export interface Draft {
  draft: string;
  target: string;
  bytes: Uint8Array | undefined;
}

/** What makes files last, and seen. */
export interface Medium {
  /** Resolves when it has what was written to the file, or the names in the directory. */
  sync(fd: number): Promise<void>;
  rename(from: string, to: string): void;
}

const mostTries = 5;
const disk: Medium = { sync: promisify(fsync), rename: renameSync };

/**
 * For each step, waits for the medium until it has the bytes of its files, which it is given together
 * with those of all others, and then until it has the names. What comes `afterwards` is begun before
 * that wait, and ends with it. When it finds something missing or empty, the steps after that one are
 * left out; so nothing is written until the first step that has files.
 */
export async function putInTurn<Step extends { drafts: readonly Draft[] }>(
  steps: readonly Step[],
  made: MadeDirectories,
  afterwards: (step: Step) => Promise<PlacedStep>,
  medium = disk,
): Promise<PlacedStep[]> {
  const all = steps.flatMap(({ drafts }) => drafts);
  const place = { made, medium };
  const done: PlacedStep[] = [];
  let syncing: Promise<void>[] = [];
  let first = 0;
  try {
    for (const step of steps) {
      const next = first + step.drafts.length;
      if (next > 0 && syncing.length === 0) syncing = prepare(all, place);
      await allOf(syncing.slice(first, next));
      const placed = await putInPlace(step, place, afterwards);
      done.push(placed);
      first = next;
      if (!placed.sizes.every(Boolean)) break;
    }
    return done;
  } finally {
    withdraw(all.slice(first, syncing.length));
    await Promise.allSettled(syncing);
  }
}

interface Place {
  made: MadeDirectories;
  medium: Medium;
}

async function putInPlace<Step extends { drafts: readonly Draft[] }>(
  step: Step,
  place: Place,
  afterwards: (step: Step) => Promise<PlacedStep>,
): Promise<PlacedStep> {
  const { drafts } = step;
  for (let left = drafts, tries = 1; left.length > 0; tries++) {
    if (tries > 1) await allOf(prepare(left, place));
    try {
      publish(left, place);
      left = [];
    } catch (error) {
      const at = left.findIndex((draft) => nameOf(draft) === (error as FailureOfOne).place);
      const failed = left[at];
      withdraw(left.slice(at));
      // Another process may remove the directory of a tag with all that is in it, drafts too.
      const isGone = systemCodeOf(error) === "ENOENT" && failed?.bytes !== undefined;
      if (!isGone || tries === mostTries) throw error;
      left = left.slice(at);
    }
  }
  const directories = [...new Set(drafts.map(({ target }) => dirname(target)))];
  const kept = [place.made.keep(directories), syncIfThere(directories, place.medium)];
  const [result] = await Promise.all([afterwards(step), ...kept]);
  return result;
}

/** Whoever removes a directory afterwards, has it to answer for. */
export async function syncIfThere(directories: readonly string[], medium = disk): Promise<void> {
  await allOf(
    directories.map(async (directory) => {
      const fd = toldOf(directory, () => ifThere(() => openSync(directory, "r")));
      if (fd !== undefined) await syncedAndClosed(fd, directory, medium);
    }),
  );
}

/** Writes the drafts. The medium is given each at once, while the next is written. */
function prepare(drafts: readonly Draft[], { made, medium }: Place): Promise<void>[] {
  const syncing: Promise<void>[] = [];
  try {
    for (const draft of drafts) {
      const fd = toldOf(nameOf(draft), () => written(draft, made));
      syncing.push(syncedAndClosed(fd, nameOf(draft), medium));
    }
    return syncing;
  } catch (error) {
    withdraw(drafts);
    throw error;
  } finally {
    void Promise.allSettled(syncing); // one may fail before it is waited for
  }
}

function written({ draft, target, bytes }: Draft, made: MadeDirectories): number {
  const opened = () => openSync(draft, bytes === undefined ? "r" : "w", 0o666);
  const fd = inDirectory(() => made.make(dirname(target)), opened);
  if (bytes === undefined) return fd;
  try {
    writeWhole(fd, bytes);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function publish(drafts: readonly Draft[], { made, medium }: Place): void {
  for (const each of drafts) {
    const { draft, target } = each;
    const make = () => made.make(dirname(target));
    toldOf(nameOf(each), () => inDirectory(make, () => medium.rename(draft, target)));
  }
}

/** The file that an error is about: what has no name yet has that of its place. */
function nameOf({ draft, target, bytes }: Draft): string {
  return bytes === undefined ? draft : target;
}

function withdraw(drafts: readonly Draft[]): void {
  for (const { draft, bytes } of drafts) {
    if (bytes === undefined) continue;
    try {
      unlinkSync(draft);
    } catch {} // it was not made, or went with its directory
  }
}

async function syncedAndClosed(fd: number, place: string, { sync }: Medium): Promise<void> {
  try {
    await sync(fd);
  } catch (error) {
    throw failureOf(place, error);
  } finally {
    closeSync(fd);
  }
}

/** Ends when none goes on any more. */
async function allOf(waits: readonly Promise<void>[]): Promise<void> {
  const ends = await Promise.allSettled(waits);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}
