import * as v from "valibot";
import type { Bytes } from "../../base/bytes.ts";
import { sortedPage } from "../sorted-names.ts";
import {
  checkStoragePath,
  type PlaceCall,
  type Placement,
  type StorageDriver,
  StorageError,
  type StoragePath,
} from "../storage-driver.ts";
import { placedInTurn } from "./placed-in-turn.ts";

/** `storage.inmemory` of the configuration, which has no keys; YAML writes it as nothing or `{}`. */
export const InmemoryOptions = v.nullable(v.strictObject({}));

interface MemoryFile {
  chunks: Uint8Array[];
  size: number;
  modified: Date;
}

/** Keeps files for as long as the process lives: for trying things out, and for tests. */
export function openInmemoryStorage(now: () => Date): StorageDriver {
  const files = new Map<string, MemoryFile>();

  return {
    async read(path, { from = 0, to }) {
      const file = existing(path);
      if (from > file.size) throw offBy(path, from, file.size);
      return chunksOf(file, from, to ?? file.size);
    },

    async readWhole(path, { maximumBytes }) {
      const file = files.get(checked(path));
      if (file === undefined) return undefined;
      if (file.size > maximumBytes) {
        throw new StorageError("TOO_LARGE", `${path} is longer than ${maximumBytes} bytes`);
      }
      return Buffer.concat(file.chunks);
    },

    write,
    place,
    placeInTurn: (steps, call) => placedInTurn({ place, readEach }, steps, call),

    async append(path, source, { at }) {
      const file = files.get(checked(path)) ?? { chunks: [], size: 0, modified: now() };
      if (!files.has(path) && !isInside(path)) throw absent(path);
      if (file.size !== at) throw offBy(path, at, file.size);
      files.set(path, file);
      for await (const chunk of source) {
        file.chunks.push(chunk);
        file.size += chunk.length;
        file.modified = now();
      }
      return file.size;
    },

    async extend(path, bytes) {
      const file = files.get(checked(path)) ?? { chunks: [], size: 0, modified: now() };
      files.set(path, file);
      file.chunks.push(Uint8Array.from(bytes));
      file.size += bytes.length;
      file.modified = now();
      return file.size;
    },

    async stat(path) {
      const file = files.get(checked(path));
      if (file) return { size: file.size, modified: file.modified };
      const inside = [...files].find(([name]) => name.startsWith(`${path}/`))?.[1];
      return inside && { size: 0, modified: inside.modified };
    },

    async *list(path) {
      yield* namesIn(path);
    },

    names: async (path, page) => sortedPage([...namesIn(path)], page),

    readEach,

    async setAside(from, to) {
      const inside = (name: string) => name === checked(from) || name.startsWith(`${from}/`);
      const moved = [...files].filter(([name]) => inside(name));
      for (const [name, file] of moved) {
        files.delete(name);
        files.set(checked(`${to}${name.slice(from.length)}`), file);
      }
      return moved.length > 0;
    },

    touch: async (paths) => touch(paths),

    delete: remove,
    discard: remove,

    async close() {
      files.clear();
    },
  };

  function touch(paths: readonly StoragePath[]): (number | undefined)[] {
    return paths.map((path) => {
      const file = files.get(checked(path));
      if (file !== undefined) file.modified = now();
      return file?.size;
    });
  }

  /** Whether there is a directory that it could be in. */
  function isInside(path: StoragePath): boolean {
    const directory = path.slice(0, path.lastIndexOf("/") + 1);
    return directory === "/" || [...files.keys()].some((name) => name.startsWith(directory));
  }

  function namesIn(path: StoragePath): Set<string> {
    const prefix = `${checked(path)}/`;
    const below = [...files.keys()].filter((name) => name.startsWith(prefix));
    return new Set(below.map((name) => name.slice(prefix.length).split("/", 1)[0] ?? ""));
  }

  async function readEach(
    paths: readonly StoragePath[],
    { maximumBytes }: { maximumBytes: number },
  ): Promise<(Uint8Array | undefined)[]> {
    return paths.map((path) => {
      const file = files.get(checked(path));
      return file && file.size <= maximumBytes ? Buffer.concat(file.chunks) : undefined;
    });
  }

  async function place(
    placements: readonly Placement[],
    { touch: touching = [], discard }: PlaceCall,
  ): Promise<(number | undefined)[]> {
    for (const placement of placements) {
      if ("bytes" in placement) await write(placement.path, placement.bytes);
      else rename(placement.from, placement.path);
    }
    const sizes = touch(touching);
    if (discard !== undefined) await remove(discard);
    return sizes;
  }

  async function write(path: StoragePath, bytes: Uint8Array): Promise<void> {
    const chunks = [Uint8Array.from(bytes)];
    files.set(checked(path), { chunks, size: bytes.length, modified: now() });
  }

  function rename(from: StoragePath, to: StoragePath): void {
    const file = existing(from);
    files.set(checked(to), file);
    files.delete(from);
  }

  async function remove(path: StoragePath): Promise<void> {
    files.delete(checked(path));
    for (const name of files.keys()) if (name.startsWith(`${path}/`)) files.delete(name);
  }

  function existing(path: StoragePath): MemoryFile {
    const file = files.get(checked(path));
    if (file === undefined) throw absent(path);
    return file;
  }
}

async function* chunksOf(file: MemoryFile, from: number, to: number): Bytes & AsyncGenerator {
  let start = 0;
  for (const chunk of [...file.chunks]) {
    const end = start + chunk.length;
    if (end > from && start < to) {
      yield chunk.subarray(Math.max(0, from - start), Math.min(chunk.length, to - start));
    }
    start = end;
  }
}

function checked(path: StoragePath): StoragePath {
  checkStoragePath(path);
  return path;
}

function absent(path: StoragePath): StorageError {
  return new StorageError("NOT_FOUND", `there is no ${path}`);
}

function offBy(path: StoragePath, offset: number, size: number): StorageError {
  return new StorageError("INVALID_OFFSET", `${path} is ${size} bytes long, not ${offset}`);
}
