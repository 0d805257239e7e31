import type { Call } from "../../base/call.ts";
import type { StorageDriver, StoragePath, StoredFile } from "../storage-driver.ts";

/*
 * What a collection takes away is first put aside, on the same file system:
 *
 *   /dewy/trash/<begun>-<cutoff>      of one collection, both in milliseconds since 1970
 *     docker/registry/v2/…            a blob's data or a link, under the path that it had
 *
 * A file keeps its time of last use there, so whoever finds one that was used after `cutoff` knows
 * that it was taken from somebody who relied on it.
 */
const trashPath: StoragePath = "/dewy/trash";

const blobPattern = /^\/docker\/registry\/v2\/blobs\/sha(?:256|512)\/[0-9a-f]{2}\/[0-9a-f]+$/;
const linkPattern =
  /^\/docker\/registry\/v2\/repositories\/.+\/(?:(?:_layers|_manifests\/revisions)\/sha(?:256|512)\/[0-9a-f]+|_manifests\/tags\/[^/]+\/current)$/;

/** One collection, as far as its trash is concerned. */
export interface TrashRun {
  begunMs: number;
  /** What was last used before this may be taken. */
  cutoffMs: number;
}

/** Where what was collected is kept for a while. Paths are those that it had before. */
export interface Trash {
  /** `false` when there was nothing, or somebody else was faster. */
  put(path: StoragePath, run: TrashRun, call: Call): Promise<boolean>;
  /** Takes away a directory that nobody misses; what comes to be there meanwhile stays. */
  dispose(directory: StoragePath, run: TrashRun, call: Call): Promise<void>;
  /** A file that `run` took. */
  stat(path: StoragePath, run: TrashRun, call: Call): Promise<StoredFile | undefined>;
  /** Brings back what any collection took; `false` when none did. */
  restore(path: StoragePath, call: Call): Promise<boolean>;
  /** The same, but only for what should not have been taken. */
  rescue(path: StoragePath, call: Call): Promise<boolean>;
  /** Brings back what `run` took and should not have; resolves to whether it did. */
  review(path: StoragePath, run: TrashRun, call: Call): Promise<boolean>;
  /** Whatever `path` was: it is not to come back. */
  forget(path: StoragePath, call: Call): Promise<void>;
  /** Newest first. */
  runs(call: Call): Promise<TrashRun[]>;
  files(run: TrashRun, call: Call): AsyncIterable<StoragePath>;
  /** Below one directory: those of the directories that files were alone in. */
  names(directory: StoragePath, run: TrashRun, call: Call): AsyncIterable<string>;
  /** Deletes all that `run` took, for good. */
  empty(run: TrashRun, call: Call): Promise<void>;
}

export function trashOn(storage: StorageDriver): Trash {
  return {
    put: (path, run, call) => storage.setAside(path, placeOf(path, run), { ...call, alone: true }),

    async dispose(directory, run, call) {
      const place = `${runPath(run)}${directory}` as const;
      if (await storage.setAside(directory, place, call)) await storage.discard(place, call);
    },

    stat: (path, run, call) => storage.stat(placeOf(path, run), call),

    async restore(path, call) {
      for (const run of await runs(call)) {
        if (await storage.setAside(placeOf(path, run), path, call)) return true;
      }
      return false;
    },

    async rescue(path, call) {
      for (const run of await runs(call)) {
        if (await review(path, run, call)) return true;
      }
      return false;
    },

    review,

    async forget(path, call) {
      for (const run of await runs(call)) {
        await storage.discard(directoryOf(placeOf(path, run)), call);
      }
    },

    runs,

    files: (run, call) => filesBelow(run, "", call),

    names: (directory, run, call) => storage.list(`${runPath(run)}${directory}`, call),

    empty: (run, call) => storage.discard(runPath(run), call),
  };

  async function runs(call: Call): Promise<TrashRun[]> {
    const found: TrashRun[] = [];
    for await (const name of storage.list(trashPath, call)) {
      const [, begun, cutoff] = /^(\d{1,15})-(\d{1,15})$/.exec(name) ?? [];
      if (begun !== undefined) found.push({ begunMs: Number(begun), cutoffMs: Number(cutoff) });
    }
    return found.sort((one, other) => other.begunMs - one.begunMs);
  }

  async function review(path: StoragePath, run: TrashRun, call: Call): Promise<boolean> {
    const place = placeOf(path, run);
    const file = await storage.stat(place, call);
    if (file === undefined || file.modified.getTime() < run.cutoffMs) return false;
    return storage.setAside(place, path, call);
  }

  async function* filesBelow(
    run: TrashRun,
    below: string,
    call: Call,
  ): AsyncGenerator<StoragePath> {
    for await (const name of storage.list(`${runPath(run)}${below}`, call)) {
      const path: StoragePath = `${below}/${name}` as StoragePath;
      if (blobPattern.test(path)) yield `${path}/data`;
      else if (linkPattern.test(path)) yield `${path}/link`;
      else yield* filesBelow(run, path, call);
    }
  }
}

function runPath({ begunMs, cutoffMs }: TrashRun): StoragePath {
  return `${trashPath}/${begunMs}-${cutoffMs}`;
}

function placeOf(path: StoragePath, run: TrashRun): StoragePath {
  return `${runPath(run)}${path}`;
}

function directoryOf(path: StoragePath): StoragePath {
  return path.slice(0, path.lastIndexOf("/")) as StoragePath;
}
