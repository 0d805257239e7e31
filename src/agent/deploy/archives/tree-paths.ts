import { mkdir, rmdir, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemCodeOf } from "../../../base/errors.ts";
import { statsOf } from "../../../base/path-stats.ts";
import { ArchiveError, type ArchiveLimits } from "./archive.ts";
import { parseEntryPath, refusal } from "./entry-path.ts";

export interface EntryAttributes {
  /** Only the nine permission bits are applied. */
  mode: number;
  modifiedAt: Date | undefined;
}

/** Of a directory that entries lie in but that has no entry itself. */
export const implicitAttributes: EntryAttributes = { mode: 0o755, modifiedAt: undefined };

/** Finds the place of each entry below a root, through real directories only. */
export interface TreePaths {
  /** The components of an entry's name; none for the root. */
  accept(name: string): string[];
  /** Like `accept`, for what cannot be the root. */
  acceptLeaf(name: string): string[];
  /** The path for an entry that is not a directory, with nothing at it, unless it is `source`. */
  makeRoom(name: string, components: string[], source?: string): Promise<string>;
  /** The entry's path; the directories above it are made, and are directories and not links. */
  parentOf(name: string, components: string[]): Promise<string>;
  /** The path of the earlier entry `target` that `name` links to. */
  inside(name: string, target: string): Promise<string>;
}

/** Notes in `directories` which it makes. */
export function openTreePaths(
  root: string,
  limits: ArchiveLimits,
  directories: Map<string, EntryAttributes>,
  signal: AbortSignal,
): TreePaths {
  let entries = 0;
  let lastParent = root;

  return { accept, acceptLeaf, makeRoom, parentOf, inside };

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

  async function makeRoom(name: string, components: string[], source?: string): Promise<string> {
    const path = await parentOf(name, components);
    const existing = await statsOf(path);
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
    const existing = await statsOf(parent);
    if (existing?.isDirectory()) return;
    if (existing?.isSymbolicLink()) throw refusal(name, "its name leads through a symbolic link");
    if (existing) throw refusal(name, "its name leads through a file");
    await mkdir(parent, 0o700);
    directories.set(parent, implicitAttributes);
  }

  async function inside(name: string, target: string): Promise<string> {
    const components = parseEntryPath(target, limits.pathBytes);
    let path = root;
    for (const component of components.slice(0, -1)) {
      path = join(path, component);
      if (!(await statsOf(path))?.isDirectory()) {
        throw refusal(name, `a hard link to ${target}, which is not in the archive yet`);
      }
    }
    return join(root, ...components);
  }
}
