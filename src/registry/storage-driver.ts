import type { Bytes } from "../base/bytes.ts";
import type { Call } from "../base/call.ts";
import { DewyError } from "../base/errors.ts";

/** Absolute, `/`-separated, without empty elements, `.` or `..`: `/blobs/sha256/ab/abcd…/data`. */
export type StoragePath = `/${string}`;

export interface StoredFile {
  /** 0 where it is a directory. */
  size: number;
  modified: Date;
}

/** Where a read begins, and the byte before which it ends; the whole file unless told. */
export interface ReadRange {
  from?: number;
  to?: number;
}

/** A part of the names in a directory. */
export interface NamesPage {
  after: string | undefined;
  count: number;
}

/** A file with these bytes, or the one that is at `from` until then. */
export type Placement = { path: StoragePath } & ({ bytes: Uint8Array } | { from: StoragePath });

export interface AppendCall extends Call {
  at: number;
  /** Nobody else has the chunks, so that their memory may be freed when they are written. */
  areOurs?: boolean | undefined;
}

/** What is done on the way, once the files are in their places. */
export interface PlaceCall extends Call {
  /** As by `touch`. */
  touch?: readonly StoragePath[];
  /** As by `discard`. */
  discard?: StoragePath;
}

/** Some of the files that are put in their places one after the other; `touch` as by `PlaceCall`. */
export interface PlaceStep {
  files: readonly Placement[];
  touch: readonly StoragePath[];
  /** Of which small files the bytes are told, as by `readEach`. */
  read?: SmallFiles | undefined;
}

export interface SmallFiles {
  paths: readonly StoragePath[];
  maximumBytes: number;
}

/** What was found when the files of a step were in their places. */
export interface PlacedStep {
  /** Of what was touched; `undefined` also for what could not be. */
  sizes: (number | undefined)[];
  read: (Uint8Array | undefined)[];
}

/**
 * Keeps files by path. Everything the image registry knows is kept through one of these.
 *
 * `write`, `place`, `placeInTurn` and `delete` resolve when a power failure can no longer undo them; `append`,
 * `extend` and `discard` do not wait for that.
 */
export interface StorageDriver {
  /**
   * Opens a file. A chunk is only good until the next one is asked for: copy what is to be kept.
   *
   * @throws {StorageError} `NOT_FOUND`, or `INVALID_OFFSET` when `from` is past the end.
   */
  read(path: StoragePath, call: Call & ReadRange): Promise<Bytes>;
  /**
   * The bytes of a small file; `undefined` when there is none.
   *
   * @throws {StorageError} `TOO_LARGE` when it is longer than `maximumBytes`.
   */
  readWhole(
    path: StoragePath,
    call: Call & { maximumBytes: number },
  ): Promise<Uint8Array | undefined>;
  /** Creates or replaces a file in one step: readers see the old bytes or the new, never a mix. */
  write(path: StoragePath, bytes: Uint8Array, call: Call): Promise<void>;
  /**
   * Adds to the end of a file, which is created when `at` is 0; what it is in must be there. `at` must
   * be its present size, which makes a retry harmless. When `source` fails, what it gave before that
   * is kept. The chunks become the driver's. Resolves to the new size.
   *
   * @throws {StorageError} `NOT_FOUND` or `INVALID_OFFSET`, with nothing taken of `source`; or
   *   `NO_SPACE`, with the file as it was, so that the room it took is there again for others.
   */
  append(path: StoragePath, source: Bytes, call: AppendCall): Promise<number>;
  /** Adds a few bytes where a file ends, or creates it. All or nothing. Resolves to the new size. */
  extend(path: StoragePath, bytes: Uint8Array, call: Call): Promise<number>;
  stat(path: StoragePath, call: Call): Promise<StoredFile | undefined>;
  /** The names directly below `path`, in no order. Nothing when there is nothing. */
  list(path: StoragePath, call: Call): AsyncIterable<string>;
  /**
   * The first `count` of those names that come after `after`, in the order of their bytes. Of a large
   * directory that was not changed lately, this takes no longer than of a small one.
   */
  names(path: StoragePath, call: Call & NamesPage): Promise<string[]>;
  /** As `readWhole` of many small files; `undefined` also for each that is longer. */
  readEach(
    paths: readonly StoragePath[],
    call: Call & { maximumBytes: number },
  ): Promise<(Uint8Array | undefined)[]>;
  /**
   * Puts files in their places, each in one step as `write` does, and none before the one that it
   * follows. That takes hardly longer than it does for one. A power failure before it resolves may
   * leave any of them in place, so a file that replaces an older one is not placed together with what
   * it names. Resolves to what `touch` would, `undefined` also for what could not be touched.
   *
   * @throws {StorageError} `NOT_FOUND`; those before the one that failed may be in place.
   */
  place(files: readonly Placement[], call: PlaceCall): Promise<(number | undefined)[]>;
  /**
   * `place` of one step after the other: no file is in its place before those of the steps before it
   * are there for good. Takes less time than that, as the bytes of all are waited for together. Ends
   * after a step where something of `touch` is missing or empty; nothing is written for those to come
   * when none had files until then. Resolves to what was found at each step that was done.
   */
  placeInTurn(steps: readonly PlaceStep[], call: Call): Promise<PlacedStep[]>;
  /**
   * Renames a file or a directory without waiting until that is certain; `false` when there is none. Nothing empty
   * is left behind, and of two who rename the same one gets `true`. A file that is `alone` in its
   * directory, drafts aside, may go with that to where `to` is, which then has the same last name:
   * one change where there would be two.
   */
  setAside(from: StoragePath, to: StoragePath, call: Call & { alone?: boolean }): Promise<boolean>;
  /**
   * Makes `modified` of files the present time, one after the other, which hardly takes longer than
   * for one. Resolves to their sizes; `undefined` for each that is not there.
   */
  touch(paths: readonly StoragePath[], call: Call): Promise<(number | undefined)[]>;
  /** Deletes a file, or everything below a directory. Nothing there is not an error. */
  delete(path: StoragePath, call: Call): Promise<void>;
  /**
   * Deletes what nobody was promised, without waiting until that is certain; with `alone` the
   * directory that it is in as well, when nothing else is.
   */
  discard(path: StoragePath, call: Call & { alone?: boolean }): Promise<void>;
  close(): Promise<void>;
}

/** `NO_SPACE` and `READ_ONLY` are about the medium; `UNAVAILABLE` is any other failure of it. */
export class StorageError extends DewyError<
  | "NOT_FOUND"
  | "INVALID_PATH"
  | "INVALID_OFFSET"
  | "TOO_LARGE"
  | "NO_SPACE"
  | "READ_ONLY"
  | "UNAVAILABLE"
> {}

export function isFull(error: unknown): boolean {
  return error instanceof StorageError && error.code === "NO_SPACE";
}

/** @throws {StorageError} `INVALID_PATH`, so that no name from outside leads out of the storage. */
export function checkStoragePath(path: string): void {
  if (pathPattern.test(path)) return;
  throw new StorageError("INVALID_PATH", `not a path in the storage: ${JSON.stringify(path)}`);
}

const pathPattern = /^(?:\/(?!\.{1,2}(?:\/|$))[^/\0]+)+$/;
