import {
  closeSync,
  type Dir,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
  unlinkSync,
  utimesSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { ReadRange, StorageDriver, StoragePath } from "../storage-driver.ts";
import { checkStoragePath, StorageError } from "../storage-driver.ts";
import { type BreakOptions, Breaks } from "./breaks.ts";
import { failureAt, isAbsence } from "./file-failure.ts";
import { isListed, removeEmpty, toRead } from "./file-steps.ts";
import { type FilesystemOptions, openFilesystemStorage } from "./filesystem.ts";
import { leadsBack } from "./leads-back.ts";

const chunkBytes = 256 * 1024;

/**
 * The same files, for a thread that does nothing else: what takes the kernel some microseconds blocks
 * it. Through Node's four threads that takes ten times as long, and requests wait for those as well.
 *
 * @throws {StorageError} `READ_ONLY` or `UNAVAILABLE`
 */
export async function openBlockingStorage(
  { rootdirectory }: FilesystemOptions,
  { access, ...options }: { access: "read" | "write"; breaks: BreakOptions },
): Promise<StorageDriver> {
  const storage = await openFilesystemStorage({ rootdirectory }, { access });
  const breaks = new Breaks(options.breaks);
  const root = resolve(rootdirectory).replace(/\/$/, "");

  return {
    ...storage,

    async read(path, { from = 0, to }) {
      const fd = told(path, () => openSync(placeOf(path), toRead));
      const end = to ?? fstatSync(fd).size;
      if (from <= end) return chunksOf(fd, path, { from, to: end });
      closeSync(fd);
      throw new StorageError("INVALID_OFFSET", `${path} is ${end} bytes long, not ${from}`);
    },

    async stat(path) {
      await breaks.whenDue();
      const found = statAt(path);
      return found && { size: found.isFile() ? found.size : 0, modified: found.mtime };
    },

    async readWhole(path, { maximumBytes }) {
      await breaks.whenDue();
      const found = statAt(path);
      if (!found?.isFile()) return undefined;
      if (found.size > maximumBytes) throw tooLarge(path, maximumBytes);
      const bytes = ifThere(path, () => readFileSync(placeOf(path)));
      if (bytes !== undefined && bytes.length > maximumBytes) throw tooLarge(path, maximumBytes);
      return bytes;
    },

    async *list(path) {
      const directory = ifThere(path, () => opendirSync(placeOf(path), { bufferSize: 256 }));
      if (directory === undefined) return;
      try {
        for (const name of namesIn(directory, path, placeOf(path))) {
          await breaks.whenDue();
          if (isListed(name)) yield name;
        }
      } finally {
        directory.closeSync();
      }
    },

    async setAside(from, to, call) {
      await breaks.whenDue();
      if (!call.alone) return storage.setAside(from, to, call);
      try {
        renameSync(dirname(placeOf(from)), dirname(placeOf(to)));
        return true;
      } catch {
        return storage.setAside(from, to, call); // which says what is wrong, if anything is
      }
    },

    async touch(paths) {
      await breaks.whenDue();
      const now = new Date();
      return paths.map((path) =>
        ifThere(path, () => {
          utimesSync(placeOf(path), now, now);
          return statSync(placeOf(path)).size;
        }),
      );
    },

    async discard(path, { alone }) {
      try {
        await removeStepByStep(placeOf(path));
      } catch {
        ifThere(path, () => rmSync(placeOf(path), { recursive: true, force: true }));
      }
      if (alone) removeEmpty(dirname(placeOf(path)));
    },
  };

  async function* chunksOf(fd: number, path: StoragePath, { from, to }: Required<ReadRange>) {
    const buffer = Buffer.allocUnsafe(chunkBytes);
    try {
      for (let at = from; at < to; ) {
        await breaks.whenDue();
        const wanted = Math.min(buffer.length, to - at);
        const length = told(path, () => readSync(fd, buffer, 0, wanted, at));
        if (length === 0) {
          throw new StorageError("UNAVAILABLE", `${path} ends at ${at}, before ${to}`);
        }
        yield buffer.subarray(0, length);
        at += length;
      }
    } finally {
      closeSync(fd);
    }
  }

  /** A trash of a million files takes its time. */
  async function removeStepByStep(place: string): Promise<void> {
    await breaks.whenDue();
    if (!lstatSync(place, { throwIfNoEntry: false })?.isDirectory()) {
      rmSync(place, { force: true });
      return;
    }
    const directory = opendirSync(place, { bufferSize: 256 });
    try {
      for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
        const path = join(place, entry.name);
        if (entry.isDirectory()) await removeStepByStep(path);
        else unlinkSync(path);
        await breaks.whenDue();
      }
    } finally {
      directory.closeSync();
    }
    rmdirSync(place);
  }

  function statAt(path: StoragePath): Stats | undefined {
    return ifThere(path, () => statSync(placeOf(path), { throwIfNoEntry: false }));
  }

  function placeOf(path: StoragePath): string {
    checkStoragePath(path);
    return root + path;
  }
}

function* namesIn(directory: Dir, path: StoragePath, place: string): Generator<string> {
  for (;;) {
    const entry = ifThere(path, () => directory.readSync());
    if (!entry) return;
    if (entry.isSymbolicLink() && leadsBack(place, entry.name)) continue;
    yield entry.name;
  }
}

function told<Result>(path: StoragePath, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw failureAt(path, error);
  }
}

/** `undefined` when there is nothing at `path`. */
function ifThere<Result>(path: StoragePath, look: () => Result): Result | undefined {
  try {
    return look();
  } catch (error) {
    const failure = failureAt(path, error);
    if (isAbsence(failure)) return undefined;
    throw failure;
  }
}

function tooLarge(path: StoragePath, maximumBytes: number): StorageError {
  return new StorageError("TOO_LARGE", `${path} is longer than ${maximumBytes} bytes`);
}
