import { closeSync, fsync, openSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { systemCodeOf } from "../../base/errors.ts";
import { type FailureOfOne, failedAt, ifThere, inDirectory, makeDirectory } from "./file-steps.ts";

/** A file that is to be put in its place: a draft with these bytes, or one that is there. */
export interface Draft {
  draft: string;
  target: string;
  bytes: Uint8Array | undefined;
}

const mostTries = 5;
const synced = promisify(fsync);

/**
 * Waits for the medium twice, however many files there are: until it has their bytes, and until it
 * has their names. One wait after the other, it is what most of the time of a small push goes by.
 *
 * A directory that is made for a file needs no wait of its own. The file systems that a registry is
 * kept on (ext4, XFS, Btrfs, ZFS, F2FS) keep what leads to what is synced: the journal has it first.
 */
export async function putInPlace(drafts: readonly Draft[]): Promise<void> {
  for (let left = drafts, tries = 1; left.length > 0; tries++) {
    await prepare(left);
    try {
      publish(left);
      left = [];
    } catch (error) {
      const { at = 0 } = error as FailureOfOne;
      const failed = left[at];
      withdraw(left.slice(at));
      // Another process may remove the directory of a tag with all that is in it, drafts too.
      const isGone = systemCodeOf(error) === "ENOENT" && failed?.bytes !== undefined;
      if (!isGone || tries === mostTries) {
        throw Object.assign(error as FailureOfOne, { at: drafts.length - left.length + at });
      }
      left = left.slice(at);
    }
  }
  await syncIfThere([...new Set(drafts.map(({ target }) => dirname(target)))]);
}

/** Whoever removes a directory afterwards, has it to answer for. */
export async function syncIfThere(directories: readonly string[]): Promise<void> {
  const opened: number[] = [];
  try {
    for (const directory of directories) {
      const fd = ifThere(() => openSync(directory, "r"));
      if (fd !== undefined) opened.push(fd);
    }
    await allSynced(opened);
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** Writes the drafts, and waits until the medium has all bytes. */
async function prepare(drafts: readonly Draft[]): Promise<void> {
  const opened: number[] = [];
  try {
    for (const [at, draft] of drafts.entries()) failedAt(at, () => opened.push(prepared(draft)));
    await allSynced(opened);
  } catch (error) {
    withdraw(drafts);
    throw error;
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

function prepared({ draft, target, bytes }: Draft): number {
  if (bytes === undefined) {
    makeDirectory(dirname(target));
    return openSync(draft, "r");
  }
  const fd = inDirectory(draft, () => openSync(draft, "w", 0o666));
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function publish(drafts: readonly Draft[]): void {
  for (const [at, { draft, target }] of drafts.entries()) {
    failedAt(at, () => inDirectory(target, () => renameSync(draft, target)));
  }
}

function withdraw(drafts: readonly Draft[]): void {
  for (const { draft, bytes } of drafts) {
    if (bytes === undefined) continue;
    try {
      unlinkSync(draft);
    } catch {} // it was not made, or went with its directory
  }
}

/** Ends when none is being synced any more, so that all may be closed. */
async function allSynced(opened: readonly number[]): Promise<void> {
  const ends = await Promise.allSettled(opened.map((fd) => synced(fd)));
  for (const [at, end] of ends.entries()) {
    if (end.status === "rejected") throw Object.assign(end.reason, { at });
  }
}
