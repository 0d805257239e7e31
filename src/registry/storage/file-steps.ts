import {
  constants,
  mkdirSync,
  opendirSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { systemCodeOf } from "../../base/errors.ts";

/** Of several files, or what they are in, the one that an error is about. */
export type FailureOfOne = Error & { place?: string };

/** A pipe in the place of a file has nobody wait until somebody writes to it. */
export const toRead = constants.O_RDONLY | constants.O_NONBLOCK;

/** What is told of something else in the place of a file. */
export const wrongKinds: readonly string[] = ["EISDIR", "ELOOP", "ESPIPE", "ENXIO"];

const mostTries = 5;
const mostAtOnce = 8;

/** Has the directory made before; another process may remove one that is empty. */
export function inDirectory<Result>(make: () => void, work: () => Result): Result {
  for (let tries = 1; ; tries++) {
    try {
      make();
      return work();
    } catch (error) {
      if (systemCodeOf(error) !== "ENOENT" || tries === mostTries) throw error;
    }
  }
}

/**
 * As `base/make-directory.ts` does: returns the first one that was missing. It looks first, as an
 * error costs more. What else is in the way is told of by what is done there.
 */
export function makeDirectory(path: string): string | undefined {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return undefined;
  const first = dirname(path) === path ? undefined : makeDirectory(dirname(path));
  makeOne(path);
  return first ?? path;
}

/** Somebody else may have made it meanwhile. */
function makeOne(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (systemCodeOf(error) !== "EEXIST") throw error;
  }
}

export function ifThere<Result>(look: () => Result): Result | undefined {
  try {
    return look();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Links that lead in a circle lead to nothing. */
export function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR", "ELOOP"].includes(systemCodeOf(error) ?? "");
}

const draftPattern = /\.[0-9a-f]{8}-[0-9a-f-]{27}\.tmp$/;

/** Whether `name` is a file's, and not that of a draft, which a crash may have left. */
export function isListed(name: string): boolean {
  return !draftPattern.test(name);
}

/** Removes a file, or a directory of a few files, as an upload is; `false` for what takes longer. */
export function isRemovedAtOnce(path: string): boolean {
  const names = ifThere(() => namesOfFew(path));
  if (names === undefined) {
    ifThere(() => unlinkSync(path));
    return true;
  }
  if (names === "many") return false;
  for (const name of names) ifThere(() => unlinkSync(join(path, name)));
  try {
    ifThere(() => rmdirSync(path));
    return true;
  } catch (error) {
    if (systemCodeOf(error) === "ENOTEMPTY") return false;
    throw error;
  }
}

/** Removes a directory, unless something is in it. */
export function removeEmpty(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch {
    return false; // or somebody else was faster
  }
}

function namesOfFew(path: string): string[] | "many" {
  const directory = opendirSync(path, { bufferSize: mostAtOnce + 1 });
  try {
    const names: string[] = [];
    for (let entry = directory.readSync(); entry; entry = directory.readSync()) {
      if (!entry.isFile() || names.push(entry.name) > mostAtOnce) return "many";
    }
    return names;
  } finally {
    directory.closeSync();
  }
}

export function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
}

export function toldOf<Result>(place: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw failureOf(place, error);
  }
}

/** Nobody knows better than who was told first. */
export function failureOf(place: string, error: unknown): FailureOfOne {
  const failure = error as FailureOfOne;
  return failure.place === undefined ? Object.assign(failure, { place }) : failure;
}
