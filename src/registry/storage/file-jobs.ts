import { closeSync, constants, fstatSync, openSync, readSync, statSync, utimesSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCodeOf } from "../../base/errors.ts";
import type { NamesPage } from "../storage-driver.ts";
import { failedAt, ifThere, inDirectory, isListed, isRemovedAtOnce } from "./file-steps.ts";
import { MadeDirectories } from "./made-directories.ts";
import { NameIndexes } from "./name-index.ts";
import { type Draft, putInPlace, syncIfThere } from "./placement.ts";

export type FileJobs = ReturnType<typeof fileJobsOn>;

/** What the jobs must know of the file system that they are on. */
export interface FileSystem {
  /** See `keepsWhatLeadsTo`. */
  isKept: boolean;
}

/**
 * What takes many system calls, each in one go: passing every call to the pool of threads and back
 * takes far longer than the calls. Only what waits for the medium goes there, so that others go on.
 */
export function fileJobsOn({ isKept }: FileSystem) {
  const made = new MadeDirectories(isKept ? undefined : (directory) => syncIfThere([directory]));
  const indexes = new NameIndexes(isListed, { isHere: isKept });

  return {
    /** Puts files in their places, for good. An error says by `at` which of them it is about. */
    place: (drafts: readonly Draft[]): Promise<void> => putInPlace(drafts, made),

    /** Opens a file to write to it, and makes it where that is wanted. */
    openToWrite(path: string, { create }: { create: boolean }): { fd: number; size: number } {
      const flags = constants.O_WRONLY | (create ? constants.O_CREAT : 0);
      const make = () => made.makeForDrafts(dirname(path));
      const fd = create
        ? inDirectory(make, () => openSync(path, flags, 0o666))
        : openSync(path, flags);
      return { fd, size: fstatSync(fd).size };
    },

    close(fd: number): void {
      closeSync(fd);
    },

    /** Makes the present the time of last change of each, and tells their sizes. */
    touch(paths: readonly string[]): (number | undefined)[] {
      const now = new Date();
      return paths.map((path, at) => failedAt(at, () => touched(path, now)));
    },

    /** As `names` of the driver; `undefined` when there are too many in all. */
    names(path: string, page: NamesPage): Promise<string[] | undefined> {
      return indexes.page(path, page);
    },

    /** The bytes of small files; `undefined` for each that is not there, or longer. */
    readEach(paths: readonly string[], maximumBytes: number): (Uint8Array | undefined)[] {
      const buffer = Buffer.allocUnsafe(maximumBytes + 1);
      return paths.map((path, at) => failedAt(at, () => readInto(buffer, path)));
    },

    async remove(path: string, { forGood }: { forGood: boolean }): Promise<void> {
      if (!isRemovedAtOnce(path)) await rm(path, { recursive: true, force: true });
      if (forGood) await syncIfThere([dirname(path)]);
    },
  };
}

function touched(path: string, now: Date): number | undefined {
  return ifThere(() => {
    utimesSync(path, now, now);
    return statSync(path).size;
  });
}

/** One byte more fits into the buffer than a file may have. */
function readInto(buffer: Buffer, path: string): Uint8Array | undefined {
  const fd = ifThere(() => openSync(path, "r"));
  if (fd === undefined) return undefined;
  try {
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = readSync(fd, buffer, length, buffer.length - length, length);
    }
    return length < buffer.length ? Uint8Array.from(buffer.subarray(0, length)) : undefined;
  } catch (error) {
    if (systemCodeOf(error) === "EISDIR") return undefined;
    throw error;
  } finally {
    closeSync(fd);
  }
}
