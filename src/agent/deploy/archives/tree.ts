import { constants, type Stats } from "node:fs";
import {
  chmod,
  type FileHandle,
  link,
  lstat,
  lutimes,
  mkdir,
  open,
  readlink,
  rmdir,
  symlink,
  unlink,
  utimes,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncDirectory } from "../../../base/atomic-file.ts";
import type { Bytes } from "../../../base/bytes.ts";
import type { Call } from "../../../base/call.ts";
import { systemCodeOf } from "../../../base/errors.ts";
import { ArchiveError, type ArchiveLimits } from "./archive.ts";
import { checkLinkTarget, parseEntryPath, refusal } from "./entry-path.ts";
import { openSyncQueue } from "./sync-queue.ts";

export interface EntryAttributes {
  /** Only the nine permission bits are applied. */
  mode: number;
  modifiedAt: Date | undefined;
}

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
const implicitMode = 0o755;

/** `root` must exist, be empty, and be ours alone. */
export function openTree(root: string, limits: ArchiveLimits, { signal }: Call): Tree {
  const directories = new Map<string, EntryAttributes>();
  const written = openSyncQueue();
  let entries = 0;
  let lastParent = root;

  return {
    async directory(name, attributes) {
      const components = accept(name);
      if (components.length === 0) return;
      const path = await parentOf(name, components);
      const existing = await statOf(path);
      if (!existing?.isDirectory()) {
        if (existing) await unlink(path);
        await mkdir(path, 0o700);
      }
      directories.set(path, attributes);
    },

    async file(name, { mode, modifiedAt }, bytes) {
      const path = await makeRoom(name, acceptLeaf(name));
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
      await placeLink(name, acceptLeaf(name), target, modifiedAt);
    },

    async hardLink(name, target) {
      const components = acceptLeaf(name);
      const source = await inside(name, target);
      const stats = await statOf(source);
      if (!stats) throw refusal(name, `a hard link to ${target}, which is not in the archive yet`);
      if (stats.isSymbolicLink()) {
        // A relative link means something else in another directory: checked as if it were new.
        return await placeLink(name, components, await readlink(source));
      }
      if (!stats.isFile()) throw refusal(name, `a hard link to ${target}, which is not a file`);
      const path = await makeRoom(name, components, source);
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
      await chmod(root, implicitMode);
      await syncDirectory(root);
    },

    close: () => written.close(),
  };

  function accept(name: string): string[] {
    signal.throwIfAborted();
    entries += 1;
    if (entries > limits.entries) {
      throw new ArchiveError("TOO_LARGE", `it has more than the ${limits.entries} entries allowed`);
    }
    return parseEntryPath(name, limits.pathBytes);
  }

  function acceptLeaf(name: string): string[] {
    const components = accept(name);
    if (components.length > 0) return components;
    throw refusal(name, "it would replace the directory itself");
  }

  /** The path for an entry that is not a directory, with nothing at it. */
  async function makeRoom(name: string, components: string[], source?: string): Promise<string> {
    const path = await parentOf(name, components);
    const existing = await statOf(path);
    if (path === source || !existing) return path;
    if (existing.isDirectory()) await replaceDirectory(name, path);
    else await unlink(path);
    return path;
  }

  async function replaceDirectory(name: string, path: string): Promise<void> {
    try {
      await rmdir(path);
    } catch (error) {
      const code = systemCodeOf(error);
      if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
      throw refusal(name, "it would replace a directory that is not empty");
    }
    directories.delete(path);
    lastParent = root;
  }

  async function placeLink(
    name: string,
    components: string[],
    target: string,
    modifiedAt?: Date,
  ): Promise<void> {
    checkLinkTarget(components, target);
    const path = await makeRoom(name, components);
    await symlink(target, path);
    if (isTime(modifiedAt)) await lutimes(path, modifiedAt, modifiedAt);
  }

  /** The entry's path; the directories above it are made, and are directories and not links. */
  async function parentOf(name: string, components: string[]): Promise<string> {
    const path = join(root, ...components);
    if (dirname(path) === lastParent) return path;
    let parent = root;
    for (const component of components.slice(0, -1)) {
      parent = join(parent, component);
      await makeParent(name, parent);
    }
    lastParent = parent;
    return path;
  }

  async function makeParent(name: string, parent: string): Promise<void> {
    const existing = await statOf(parent);
    if (existing?.isDirectory()) return;
    if (existing?.isSymbolicLink()) throw refusal(name, "its name leads through a symbolic link");
    if (existing) throw refusal(name, "its name leads through a file");
    await mkdir(parent, 0o700);
    directories.set(parent, { mode: implicitMode, modifiedAt: undefined });
  }

  async function inside(name: string, target: string): Promise<string> {
    const components = parseEntryPath(target, limits.pathBytes);
    let path = root;
    for (const component of components.slice(0, -1)) {
      path = join(path, component);
      if (!(await statOf(path))?.isDirectory()) {
        throw refusal(name, `a hard link to ${target}, which is not in the archive yet`);
      }
    }
    return join(root, ...components);
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

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
