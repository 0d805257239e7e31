import { constants } from "node:fs";
import {
  chmod,
  type FileHandle,
  link,
  lutimes,
  mkdir,
  open,
  readlink,
  symlink,
  unlink,
  utimes,
} from "node:fs/promises";
import { syncDirectory } from "../../../base/atomic-file.ts";
import type { Bytes } from "../../../base/bytes.ts";
import type { Call } from "../../../base/call.ts";
import { statsOf } from "../../../base/path-stats.ts";
import type { ArchiveLimits } from "./archive.ts";
import { checkLinkTarget, refusal } from "./entry-path.ts";
import { openSyncQueue } from "./sync-queue.ts";
import { type EntryAttributes, implicitAttributes, openTreePaths } from "./tree-paths.ts";

/**
 * A directory being filled from an archive. Whatever the entries are called, nothing outside of it
 * is written, read or linked to; a second entry of a name replaces the first, and never writes
 * through it. Everything is on disk once `finish` has resolved.
 */
export interface Tree {
  directory(name: string, attributes: EntryAttributes): Promise<void>;
  file(name: string, attributes: EntryAttributes, bytes: Bytes): Promise<void>;
  symbolicLink(name: string, target: string, modifiedAt?: Date): Promise<void>;
  /** `target` is the name of an entry that came before. */
  hardLink(name: string, target: string): Promise<void>;
  /** Applies what would have been in the way, the directories' modes and times, and syncs them. */
  finish(): Promise<void>;
  /** Lets go of open files; to be called in any case. */
  close(): Promise<void>;
}

const createNew =
  constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | (constants.O_NOFOLLOW ?? 0);

/** `root` must exist, be empty, and be ours alone. */
export function openTree(root: string, limits: ArchiveLimits, { signal }: Call): Tree {
  const directories = new Map<string, EntryAttributes>();
  const written = openSyncQueue();
  const paths = openTreePaths(root, limits, directories, signal);

  return {
    async directory(name, attributes) {
      const components = paths.accept(name);
      if (components.length === 0) return;
      const path = await paths.parentOf(name, components);
      const existing = await statsOf(path);
      if (!existing?.isDirectory()) {
        if (existing) await unlink(path);
        await mkdir(path, 0o700);
      }
      directories.set(path, attributes);
    },

    async file(name, { mode, modifiedAt }, bytes) {
      const path = await paths.makeRoom(name, paths.acceptLeaf(name));
      const handle = await open(path, createNew, 0o600);
      try {
        await writeAll(handle, bytes, signal);
        await handle.chmod(mode & 0o777);
        if (isTime(modifiedAt)) await handle.utimes(modifiedAt, modifiedAt);
      } catch (error) {
        await handle.close();
        throw error;
      }
      await written.add(handle);
    },

    async symbolicLink(name, target, modifiedAt) {
      await placeLink(name, paths.acceptLeaf(name), target, modifiedAt);
    },

    async hardLink(name, target) {
      const components = paths.acceptLeaf(name);
      const source = await paths.inside(name, target);
      const stats = await statsOf(source);
      if (!stats) throw refusal(name, `a hard link to ${target}, which is not in the archive yet`);
      if (stats.isSymbolicLink()) {
        // A relative link means something else in another directory: checked as if it were new.
        return await placeLink(name, components, await readlink(source));
      }
      if (!stats.isFile()) throw refusal(name, `a hard link to ${target}, which is not a file`);
      const path = await paths.makeRoom(name, components, source);
      if (path !== source) await link(source, path);
    },

    async finish() {
      await written.settle();
      const deepestFirst = [...directories].sort(([a], [b]) => b.length - a.length);
      for (const [path, { mode, modifiedAt }] of deepestFirst) {
        signal.throwIfAborted();
        if (isTime(modifiedAt)) await utimes(path, modifiedAt, modifiedAt);
        await syncDirectory(path);
        await chmod(path, mode & 0o777);
      }
      await chmod(root, implicitAttributes.mode);
      await syncDirectory(root);
    },

    close: () => written.close(),
  };

  async function placeLink(
    name: string,
    components: string[],
    target: string,
    modifiedAt?: Date,
  ): Promise<void> {
    checkLinkTarget(components, target);
    const path = await paths.makeRoom(name, components);
    await symlink(target, path);
    if (isTime(modifiedAt)) await lutimes(path, modifiedAt, modifiedAt);
  }
}

async function writeAll(handle: FileHandle, bytes: Bytes, signal: AbortSignal): Promise<void> {
  for await (const chunk of bytes) {
    signal.throwIfAborted();
    let offset = 0;
    while (offset < chunk.length) {
      const { bytesWritten } = await handle.write(chunk, offset);
      offset += bytesWritten;
    }
  }
}

/** An archive may hold any number as a time; those that no date can be are left out. */
function isTime(time: Date | undefined): time is Date {
  return time !== undefined && !Number.isNaN(time.getTime());
}
