import type { Call } from "../../base/call.ts";
import {
  isFull,
  type StorageDriver,
  type StoragePath,
  type StoredFile,
} from "../storage-driver.ts";

/*
 * What a collection takes away is first put aside, on the same file system:
 *
 *   /dewy/trash/<begun>-<cutoff>      of one collection, both in milliseconds since 1970
 *     docker/registry/v2/…            a blob's data or a link, under the path that it had
 *
 * A file keeps its time of last use there, so whoever finds one that was used after `cutoff` knows
 * that it was taken from somebody who relied on it.
 *
 * On a full disk there may be no room for a directory to put it into. It is put beside its place then,
 * as `data.<begun>-<cutoff>` in the directory of `data`, which takes no room, and after the same second
 * look it is deleted for good.
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

/** What all who use one trash know of the disk. */
export interface TrashRoom {
  /** There was not enough for something: from then on nothing that is taken is kept. */
  isShort: boolean;
}

/** Where what was collected is kept for a while. Paths are those that it had before. */
export interface Trash {
  readonly room: TrashRoom;
  /** `false` when there was nothing, or somebody else was faster. */
  put(path: StoragePath, run: TrashRun, call: Call): Promise<boolean>;
  /** Takes away a directory that nobody misses; what comes to be there meanwhile stays. */
  dispose(directory: StoragePath, run: TrashRun, call: Call): Promise<void>;
  /** A file that `run` took. */
  stat(path: StoragePath, run: TrashRun, call: Call): Promise<StoredFile | undefined>;
  /**
   * Deletes what was put beside its place; what should not have been comes back. Where nothing is
   * left, as whoever put it there was killed, the directory goes as well.
   */
  settle(path: StoragePath, call: Call): Promise<void>;
  /** Brings back what any collection took; `false` when none did. */
  restore(path: StoragePath, call: Call): Promise<boolean>;
  /** The same, but only for what should not have been taken. */
  rescue(path: StoragePath, call: Call): Promise<boolean>;
  /** Brings back what `run` took and should not have; resolves to whether it did. */
  review(path: StoragePath, run: TrashRun, call: Call): Promise<boolean>;
  /** Whatever `path` was: it is not to come back. */
  forget(path: StoragePath, call: Call): Promise<void>;
  /** Has it begun at another time, from which on what it took is kept. */
  redate(run: TrashRun, begunMs: number, call: Call): Promise<void>;
  /** Newest first. */
  runs(call: Call): Promise<TrashRun[]>;
  files(run: TrashRun, call: Call): AsyncIterable<StoragePath>;
  /** Below one directory: those of the directories that files were alone in. */
  names(directory: StoragePath, run: TrashRun, call: Call): AsyncIterable<string>;
  /** Deletes all that `run` took, for good. */
  empty(run: TrashRun, call: Call): Promise<void>;
}

export function trashOn(storage: StorageDriver, room: TrashRoom = { isShort: false }): Trash {
  return {
    room,

    put: async (path, run, call) => (await put(path, run, { ...call, alone: true })) !== undefined,

    async dispose(directory, run, call) {
      const place = await put(directory, run, call);
      if (place !== undefined) await storage.discard(place, { ...call, alone: true });
    },

    stat: async (path, run, call) => (await taken(path, run, call))?.file,

    async settle(path, call) {
      for (const { place, cutoffMs } of await beside(path, call)) {
        const file = await storage.stat(place, call);
        if (file === undefined) continue;
        if (file.modified.getTime() >= cutoffMs) await storage.setAside(place, path, call);
        else await storage.discard(place, { ...call, alone: true });
      }
      await storage.discard(`${path}.none`, { ...call, alone: true });
    },

    async restore(path, call) {
      for (const run of await runs(call)) {
        if (await storage.setAside(placeOf(path, run), path, call)) return true;
      }
      for (const { place } of await beside(path, call)) {
        if (await storage.setAside(place, path, call)) return true;
      }
      return false;
    },

    async rescue(path, call) {
      for (const run of [...(await runs(call)), ...(await beside(path, call))]) {
        if (await review(path, run, call)) return true;
      }
      return false;
    },

    review,

    async forget(path, call) {
      for (const run of await runs(call)) {
        await storage.discard(directoryOf(placeOf(path, run)), call);
      }
      for (const { place } of await beside(path, call)) {
        await storage.discard(place, { ...call, alone: true });
      }
    },

    async redate(run, begunMs, call) {
      await storage.setAside(runPath(run), runPath({ ...run, begunMs }), call);
    },

    runs,

    files: (run, call) => filesBelow(run, "", call),

    names: (directory, run, call) => storage.list(`${runPath(run)}${directory}`, call),

    empty: (run, call) => storage.discard(runPath(run), call),
  };

  async function runs(call: Call): Promise<TrashRun[]> {
    const found: TrashRun[] = [];
    for await (const name of storage.list(trashPath, call)) {
      const run = runNamed(name);
      if (run !== undefined) found.push(run);
    }
    return found.sort((one, other) => other.begunMs - one.begunMs);
  }

  async function review(path: StoragePath, run: TrashRun, call: Call): Promise<boolean> {
    const found = await taken(path, run, call);
    if (found === undefined || found.file.modified.getTime() < run.cutoffMs) return false;
    return storage.setAside(found.place, path, call);
  }

  /** Resolves to where it was put. */
  async function put(
    path: StoragePath,
    run: TrashRun,
    call: Call & { alone?: boolean },
  ): Promise<StoragePath | undefined> {
    if (!room.isShort) {
      const place = placeOf(path, run);
      try {
        return (await storage.setAside(path, place, call)) ? place : undefined;
      } catch (error) {
        if (!isFull(error)) throw error;
        room.isShort = true;
      }
    }
    const place = placeBeside(path, run);
    return (await storage.setAside(path, place, { signal: call.signal })) ? place : undefined;
  }

  async function taken(path: StoragePath, run: TrashRun, call: Call) {
    for (const place of [placeOf(path, run), placeBeside(path, run)]) {
      const file = await storage.stat(place, call);
      if (file !== undefined) return { place, file };
    }
    return undefined;
  }

  async function beside(
    path: StoragePath,
    call: Call,
  ): Promise<(TrashRun & { place: StoragePath })[]> {
    const found: (TrashRun & { place: StoragePath })[] = [];
    const directory = directoryOf(path);
    const start = `${path.slice(directory.length + 1)}.`;
    for await (const name of storage.list(directory, call)) {
      const run = name.startsWith(start) ? runNamed(name.slice(start.length)) : undefined;
      if (run !== undefined) found.push({ ...run, place: `${directory}/${name}` });
    }
    return found;
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

function runPath(run: TrashRun): StoragePath {
  return `${trashPath}/${nameOf(run)}`;
}

function placeBeside(path: StoragePath, run: TrashRun): StoragePath {
  return `${path}.${nameOf(run)}`;
}

function nameOf({ begunMs, cutoffMs }: TrashRun): string {
  return `${begunMs}-${cutoffMs}`;
}

function runNamed(name: string): TrashRun | undefined {
  const [, begun, cutoff] = /^(\d{1,15})-(\d{1,15})$/.exec(name) ?? [];
  return begun === undefined ? undefined : { begunMs: Number(begun), cutoffMs: Number(cutoff) };
}

function placeOf(path: StoragePath, run: TrashRun): StoragePath {
  return `${runPath(run)}${path}`;
}

function directoryOf(path: StoragePath): StoragePath {
  return path.slice(0, path.lastIndexOf("/")) as StoragePath;
}
