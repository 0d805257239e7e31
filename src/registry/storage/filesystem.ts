import { randomUUID } from "node:crypto";
import { constants, ftruncate } from "node:fs";
import { access, open, opendir, rename, rmdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { promisify } from "node:util";
import * as v from "valibot";
import { syncDirectory } from "../../base/atomic-file.ts";
import type { Bytes } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import { systemCodeOf } from "../../base/errors.ts";
import { makeDirectory } from "../../base/make-directory.ts";
import { checkMayWrite } from "../../base/may-write.ts";
import { smallestOf } from "../sorted-names.ts";
import {
  checkStoragePath,
  isFull,
  type NamesPage,
  type PlaceCall,
  type PlacedStep,
  type Placement,
  type PlaceStep,
  type ReadRange,
  type StorageDriver,
  StorageError,
  type StoragePath,
} from "../storage-driver.ts";
import { failureAt, isAbsence, told, toldOf, unusable } from "./file-failure.ts";
import type { RemovalOptions } from "./file-jobs.ts";
import { isListed, toRead } from "./file-steps.ts";
import { chunksOf, ReadBuffers, readUpTo, writeGathered } from "./file-stream.ts";
import { keepsWhatLeadsTo } from "./file-system.ts";
import { openFileWorker } from "./file-worker.ts";
import { leadsBack } from "./leads-back.ts";
import type { Draft } from "./placement.ts";

/** `storage.filesystem` of the configuration. */
export const FilesystemOptions = v.strictObject({
  rootdirectory: v.optional(
    v.pipe(v.string("write a path"), v.nonEmpty("write a path")),
    "/var/lib/registry",
  ),
  /** Of Distribution; see `config-notes.ts`. */
  maxthreads: v.optional(
    v.union([v.number(), v.pipe(v.string(), v.digits())], "write a whole number"),
  ),
});
export type FilesystemOptions = v.InferOutput<typeof FilesystemOptions>;

const truncated = promisify(ftruncate);

/**
 * Keeps files in a directory of this machine. With `writable`, refuses to open what it could not
 * write to, before anybody relies on it.
 *
 * @throws {StorageError} `READ_ONLY` or `UNAVAILABLE`
 */
export async function openFilesystemStorage(
  { rootdirectory }: FilesystemOptions,
  { access: mode }: { access: "read" | "write" },
): Promise<StorageDriver> {
  await checkDirectory(rootdirectory, mode);
  const root = rootdirectory.replace(/\/+$/, "");
  const buffers = new ReadBuffers();
  const worker = openFileWorker({ isKept: await keepsWhatLeadsTo(rootdirectory) });

  return {
    async read(path, { from = 0, to }: Call & ReadRange): Promise<Bytes> {
      const handle = await told(path, () => open(placeOf(path), toRead));
      try {
        const end = to ?? (await handle.stat()).size;
        if (from > end) throw pastTheEnd(path, from, end);
        return chunksOf(handle, path, { from, to: end, buffers });
      } catch (error) {
        await handle.close();
        throw failureAt(path, error);
      }
    },

    readWhole: (path, { maximumBytes }) => readUpTo(placeOf(path), path, maximumBytes),

    async write(path, bytes) {
      await put([{ files: [{ path, bytes }] }]);
    },

    async place(files, call) {
      const [placed] = await put([{ ...call, files }]);
      return placed?.sizes ?? [];
    },

    placeInTurn: put,

    async append(path, source, { at, areOurs = false }) {
      const place = placeOf(path);
      const { fd, size } = await told(path, () =>
        worker.run("openToWrite", place, { create: at === 0 }),
      );
      try {
        if (size !== at) throw pastTheEnd(path, at, size);
        return await writeGathered({ fd, path, at }, source, { areOurs });
      } catch (error) {
        if (isFull(error)) await truncated(fd, at).catch(() => {}); // /dev/full has no length
        throw error;
      } finally {
        worker.runLater("close", fd);
      }
    },

    async extend(path, bytes) {
      const place = placeOf(path);
      return await told(path, () => worker.run("extend", place, Uint8Array.from(bytes)));
    },

    async stat(path) {
      try {
        const file = await stat(placeOf(path));
        return { size: file.isFile() ? file.size : 0, modified: file.mtime };
      } catch (error) {
        const failure = failureAt(path, error);
        if (isAbsence(failure)) return undefined;
        throw failure;
      }
    },

    list: (path) => listed(path),

    async names(path, { after, count }) {
      const page = await namesIn(path, { after, count });
      return page ?? (await smallestOf(listed(path), { after, count }));
    },

    async readEach(paths, { maximumBytes }) {
      const places = paths.map(placeOf);
      return await toldOf({ root, paths }, () => worker.run("readEach", places, maximumBytes));
    },

    async setAside(from, to, { alone = false }) {
      const [source, target] = [placeOf(from), placeOf(to)];
      if (alone && (await renamedTogether(source, target))) return true;
      const isDone = await told(from, () => renamed(source, target));
      if (isDone) await rmdir(dirname(source)).catch(() => {}); // it is not empty, or gone already
      return isDone;
    },

    async touch(paths) {
      const places = paths.map(placeOf);
      return await toldOf({ root, paths }, () => worker.run("touch", places));
    },

    delete: (path) => remove(path, { forGood: true }),
    discard: (path, { alone }) => remove(path, { forGood: false, alone }),
    close: () => worker.close(),
  };

  async function* listed(path: StoragePath): AsyncGenerator<string> {
    try {
      const place = placeOf(path);
      for await (const entry of await opendir(place, { bufferSize: 256 })) {
        if (!isListed(entry.name)) continue;
        if (entry.isSymbolicLink() && leadsBack(place, entry.name)) continue;
        yield entry.name;
      }
    } catch (error) {
      const failure = failureAt(path, error);
      if (!isAbsence(failure)) throw failure;
    }
  }

  async function namesIn(path: StoragePath, page: NamesPage): Promise<string[] | undefined> {
    try {
      return await worker.run("names", placeOf(path), page);
    } catch (error) {
      const failure = failureAt(path, error);
      if (isAbsence(failure)) return []; // such as a file in the place of a directory
      throw failure;
    }
  }

  async function put(
    steps: readonly (Omit<PlaceCall, "signal"> & Pick<PlaceStep, "files" | "read">)[],
  ): Promise<PlacedStep[]> {
    const drafted = steps.map(({ files, touch = [], read, discard }) => ({
      drafts: files.map((file) => draftOf(file, placeOf)),
      ...{ touch: touch.map(placeOf), discard: discard && placeOf(discard) },
      read: read && { ...read, paths: read.paths.map(placeOf) },
    }));
    const paths = steps.flatMap(({ files }) => files.map(({ path }) => path));
    return await toldOf({ root, paths }, () => worker.run("place", drafted));
  }

  async function remove(path: StoragePath, options: RemovalOptions): Promise<void> {
    const place = placeOf(path);
    await told(path, () => worker.run("remove", place, options));
  }

  function placeOf(path: StoragePath): string {
    checkStoragePath(path);
    return root + path;
  }
}

function draftOf(file: Placement, placeOf: (path: StoragePath) => string): Draft {
  const target = placeOf(file.path);
  if ("from" in file) return { draft: placeOf(file.from), target, bytes: undefined };
  // A copy of its own: all that a buffer is a part of would be passed to the thread.
  return { draft: `${target}.${randomUUID()}.tmp`, target, bytes: Uint8Array.from(file.bytes) };
}

async function checkDirectory(directory: string, mode: "read" | "write"): Promise<void> {
  const needs = mode === "write" ? constants.W_OK : 0;
  try {
    if (mode === "write") await makeRoot(resolve(directory));
    const inside = `${directory}/.`; // a file is refused here, also one that may be executed
    await access(inside, constants.R_OK | constants.X_OK | needs);
  } catch (error) {
    throw unusable(directory, mode, error);
  }
}

async function makeRoot(directory: string): Promise<void> {
  const first = await makeDirectory(directory);
  if (first === undefined) return;
  for (let made = directory; ; made = dirname(made)) {
    await syncDirectory(dirname(made)).catch(() => {}); // it may be one that we must not list
    if (made === first) return;
  }
}

/**
 * Whether the storage could be opened; makes nothing.
 *
 * @throws {StorageError} `READ_ONLY` or `UNAVAILABLE`
 */
export async function checkFilesystemStorage(
  { rootdirectory }: FilesystemOptions,
  { access: mode }: { access: "read" | "write" },
): Promise<void> {
  if (mode === "read") return await checkDirectory(rootdirectory, mode);
  await checkMayWrite(rootdirectory).catch((error: unknown) => {
    throw unusable(rootdirectory, mode, error);
  });
}

/** With the directories they are in; `false` also where that is not possible, as if there is one. */
async function renamedTogether(source: string, target: string): Promise<boolean> {
  try {
    await rename(dirname(source), dirname(target));
    return true;
  } catch {
    return false;
  }
}

/** Whether there was a file to rename. */
async function renamed(source: string, target: string): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      await rename(source, target);
      return true;
    } catch (error) {
      if (!["ENOENT", "ENOTDIR"].includes(systemCodeOf(error) ?? "") || tries === 5) throw error;
      if (!(await isThere("/", () => access(source)))) return false;
      await makeDirectory(dirname(target)).catch((failure: unknown) => {
        if (systemCodeOf(failure) !== "ENOENT") throw failure; // else it was removed meanwhile
      });
    }
  }
}

async function isThere(path: StoragePath, look: () => Promise<unknown>): Promise<boolean> {
  try {
    await look();
    return true;
  } catch (error) {
    const failure = failureAt(path, error);
    if (isAbsence(failure)) return false;
    throw failure;
  }
}

function pastTheEnd(path: StoragePath, offset: number, size: number): StorageError {
  return new StorageError("INVALID_OFFSET", `${path} is ${size} bytes long, not ${offset}`);
}
