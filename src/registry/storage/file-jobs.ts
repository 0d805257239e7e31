import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  utimesSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCodeOf } from "../../base/errors.ts";
import type { NamesPage, PlacedStep } from "../storage-driver.ts";
import {
  failureOf,
  ifThere,
  inDirectory,
  isListed,
  isRemovedAtOnce,
  removeEmpty,
  toldOf,
  toRead,
  writeWhole,
  wrongKinds,
} from "./file-steps.ts";
import { MadeDirectories } from "./made-directories.ts";
import { NameIndexes } from "./name-index.ts";
import { type Draft, putInTurn, syncIfThere } from "./placement.ts";

export type FileJobs = ReturnType<typeof fileJobsOn>;

/** What the jobs must know of the file system that they are on. */
export interface FileSystem {
  /** See `keepsWhatLeadsTo`. */
  isKept: boolean;
}

export interface RemovalOptions {
  forGood: boolean;
  /** Takes the directory that it is in along, unless there is something else in it. */
  alone?: boolean | undefined;
}

/** What is put in place together, and what is done then, while the medium is waited for. */
export interface DraftStep {
  drafts: readonly Draft[];
  touch: readonly string[];
  read: { paths: readonly string[]; maximumBytes: number } | undefined;
  discard: string | undefined;
}

/**
 * What takes many system calls, each in one go: passing every call to the pool of threads and back
 * takes far longer than the calls. Only what waits for the medium goes there, so that others go on.
 */
export function fileJobsOn({ isKept }: FileSystem) {
  const made = new MadeDirectories(isKept ? undefined : (directory) => syncIfThere([directory]));
  const indexes = new NameIndexes(isListed, { isHere: isKept });

  return {
    /**
     * Puts files in their places, for good, as `placeInTurn` does. An error says which of all it is
     * about, as those of the other jobs of many do.
     */
    place(steps: readonly DraftStep[]): Promise<PlacedStep[]> {
      return putInTurn(steps, made, afterwards);
    },

    /** Opens a file to write to it, and makes it where that is wanted. */
    openToWrite(path: string, { create }: { create: boolean }): { fd: number; size: number } {
      const fd = openSync(path, constants.O_WRONLY | (create ? constants.O_CREAT : 0), 0o666);
      return { fd, size: fstatSync(fd).size };
    },

    /** Adds to the end of a file, and makes it, and what it is in, where there is none. */
    extend(path: string, bytes: Uint8Array): number {
      const make = () => made.makeForDrafts(dirname(path));
      const fd = inDirectory(make, () => openSync(path, "a", 0o666));
      try {
        const { size } = fstatSync(fd);
        writeOrNothing(fd, bytes, size);
        return size + bytes.length;
      } finally {
        closeSync(fd);
      }
    },

    close(fd: number): void {
      closeSync(fd);
    },

    /** Makes the present the time of last change of each, and tells their sizes. */
    touch(paths: readonly string[]): (number | undefined)[] {
      const now = new Date();
      return paths.map((path) => toldOf(path, () => touched(path, now)));
    },

    /** As `names` of the driver; `undefined` when there are too many in all. */
    names(path: string, page: NamesPage): Promise<string[] | undefined> {
      return indexes.page(path, page);
    },

    /** The bytes of small files; `undefined` for each that is not there, or longer. */
    readEach: bytesOf,

    async remove(path: string, { forGood, alone = false }: RemovalOptions): Promise<void> {
      await removed(path);
      if (alone) removeEmpty(dirname(path));
      if (forGood) await syncIfThere([dirname(path)]);
    },
  };
}

async function afterwards({ touch, read, discard }: DraftStep): Promise<PlacedStep> {
  const now = new Date();
  const sizes = touch.map((path) => {
    try {
      return touched(path, now);
    } catch {
      return undefined; // whoever asks again is told why
    }
  });
  if (discard !== undefined) {
    await removed(discard).catch((error: unknown) => {
      throw failureOf(discard, error);
    });
  }
  return { sizes, read: read ? bytesOf(read.paths, read.maximumBytes) : [] };
}

async function removed(path: string): Promise<void> {
  // Another process may put something in meanwhile.
  const retries = { maxRetries: 5, retryDelay: 20 };
  if (!isRemovedAtOnce(path)) await rm(path, { recursive: true, force: true, ...retries });
}

function writeOrNothing(fd: number, bytes: Uint8Array, size: number): void {
  try {
    writeWhole(fd, bytes);
  } catch (error) {
    ftruncateSync(fd, size);
    throw error;
  }
}

function touched(path: string, now: Date): number | undefined {
  return ifThere(() => {
    utimesSync(path, now, now);
    return statSync(path).size;
  });
}

function bytesOf(paths: readonly string[], maximumBytes: number): (Uint8Array | undefined)[] {
  const buffer = Buffer.allocUnsafe(maximumBytes + 1);
  return paths.map((path) => toldOf(path, () => readSmall(buffer, path)));
}

function readSmall(buffer: Buffer, path: string): Uint8Array | undefined {
  try {
    return readInto(buffer, path);
  } catch (error) {
    if (wrongKinds.includes(systemCodeOf(error) ?? "")) return undefined;
    throw error;
  }
}

/** One byte more fits into the buffer than a file may have. */
function readInto(buffer: Buffer, path: string): Uint8Array | undefined {
  const fd = ifThere(() => openSync(path, toRead));
  if (fd === undefined) return undefined;
  try {
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = readSync(fd, buffer, length, buffer.length - length, length);
    }
    return length < buffer.length ? Uint8Array.from(buffer.subarray(0, length)) : undefined;
  } finally {
    closeSync(fd);
  }
}
