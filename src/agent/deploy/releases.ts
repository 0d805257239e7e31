import { randomUUID } from "node:crypto";
import { readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { syncDirectory } from "../../base/atomic-file.ts";
import type { Clock } from "../../base/clock.ts";
import { DewyError } from "../../base/errors.ts";
import { makeDirectory } from "../../base/make-directory.ts";
import { statsOf } from "../../base/path-stats.ts";
import { removeInPlace, removeTree } from "./removal.ts";

const releaseName = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;
const draftLink = /^current\.[0-9a-f-]{36}\.tmp$/;

export class ReleasesError extends DewyError<"CURRENT_IS_NOT_A_LINK" | "NOT_A_RELEASE"> {}

/** Where `current` points, and whether that is a complete release under `releases/`. */
export interface CurrentRelease {
  directory: string;
  complete: boolean;
}

/** The releases of one application: `ROOT/releases/YYYYMMDDTHHMMSSZ`, and `ROOT/current`. */
export interface Releases {
  /** The absolute path of a release that does not exist yet, named after this second, or the next that is later than all. */
  reserve(): Promise<string>;
  /** Absolute paths, newest first. What is there is complete: a release gets its name last. */
  list(): Promise<string[]>;
  /** Whether `directory` is one of `list()`. */
  isComplete(directory: string): Promise<boolean>;
  /** `undefined` when nothing was deployed yet. @throws {ReleasesError} `CURRENT_IS_NOT_A_LINK` */
  current(): Promise<CurrentRelease | undefined>;
  /** Points `current` at a release, in one step that survives a power failure. @throws {ReleasesError} */
  switchTo(directory: string): Promise<void>;
  /** Takes the link away, where there was none before a deployment that failed. @throws {ReleasesError} */
  unlinkCurrent(): Promise<void>;
  /** Removes all but the `keep` newest, the current one and the protected; resolves to those removed. */
  prune(options: { keep?: number; protect: readonly string[] }): Promise<string[]>;
  /** Removes what killed runs have left half done. Only while nothing else runs. */
  sweep(): Promise<void>;
}

export async function openReleases(root: string, clock: Clock): Promise<Releases> {
  const top = resolve(root);
  const directory = join(top, "releases");
  const link = join(top, "current");
  await makeDirectory(directory);

  return {
    async reserve() {
      const [newest] = await list();
      const afterMs = newest === undefined ? 0 : timeOf(basename(newest)) + 1_000;
      for (let at = Math.max(clock.now().getTime(), afterMs); ; at += 1_000) {
        const candidate = join(directory, nameOf(new Date(at)));
        if (!(await statsOf(candidate))) return candidate;
      }
    },

    list,
    isComplete,
    current,

    async switchTo(release) {
      if (!(await isComplete(release))) {
        throw new ReleasesError("NOT_A_RELEASE", `${release} is not a release in ${directory}`);
      }
      await current();
      const draft = `${link}.${randomUUID()}.tmp`;
      try {
        await symlink(relative(top, resolve(release)), draft);
        await rename(draft, link);
      } finally {
        await rm(draft, { force: true });
      }
      await syncDirectory(top);
    },

    async unlinkCurrent() {
      await current();
      await rm(link, { force: true });
      await syncDirectory(top);
    },

    async prune({ keep = 7, protect }) {
      const active = await current();
      const kept = new Set([...protect.map((path) => resolve(path)), active?.directory]);
      const surplus = (await list()).slice(keep).filter((release) => !kept.has(release));
      for (const release of surplus) await removeTree(release);
      return surplus;
    },

    async sweep() {
      for (const name of await readdir(directory)) {
        if (name.startsWith(".")) await removeInPlace(join(directory, name));
      }
      for (const name of await readdir(top)) {
        if (draftLink.test(name)) await rm(join(top, name), { force: true });
      }
    },
  };

  async function list(): Promise<string[]> {
    const entries = await readdir(directory, { withFileTypes: true });
    const names = entries.filter((entry) => entry.isDirectory() && releaseName.test(entry.name));
    return names.map(({ name }) => join(directory, name)).sort((a, b) => (a < b ? 1 : -1));
  }

  async function isComplete(release: string): Promise<boolean> {
    const path = resolve(release);
    if (dirname(path) !== directory || !releaseName.test(basename(path))) return false;
    return (await statsOf(path))?.isDirectory() ?? false;
  }

  async function current(): Promise<CurrentRelease | undefined> {
    const stats = await statsOf(link);
    if (!stats) return undefined;
    if (!stats.isSymbolicLink()) {
      throw new ReleasesError("CURRENT_IS_NOT_A_LINK", `${link} is not a symbolic link`, {
        hint: `move ${link} out of the way: dewy puts a link of that name to the current release`,
      });
    }
    const target = resolve(top, await readlink(link));
    return { directory: target, complete: await isComplete(target) };
  }
}

function nameOf(at: Date): string {
  return at.toISOString().replaceAll(/[-:]|\.\d+/g, "");
}

function timeOf(name: string): number {
  return Date.parse(name.replace(releaseName, "$1-$2-$3T$4:$5:$6Z")) || 0;
}
