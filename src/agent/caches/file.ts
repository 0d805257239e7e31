import { randomUUID } from "node:crypto";
import { link, lstat, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { removeOld } from "../../base/atomic-file.ts";
import type { Clock } from "../../base/clock.ts";
import { DewyError, messageOf, systemCodeOf } from "../../base/errors.ts";
import { makeDirectory } from "../../base/make-directory.ts";
import { type Cache, CacheError, checkEntry } from "../cache.ts";
import { observedAges } from "./observed-ages.ts";

const monthMs = 30 * 86_400_000;
const attempts = 20;

/**
 * Shared by the processes of one host. Each write makes a file of its own, and the highest number is
 * the entry:
 *
 * ```
 * <directory>/<key>@<number>     the number is the version
 * <directory>/<uuid>.tmp         being written
 * ```
 *
 * A link cannot be made twice under one name: of two processes that would write after the same
 * version, the file system lets one, and no lock outlives anybody.
 */
export async function openFileCache(
  directory: string,
  { clock }: { clock: Clock },
): Promise<Cache> {
  const ages = observedAges();
  await inWords(directory, async () => {
    await makeDirectory(directory, 0o700);
    await refuseForeign(directory);
    await removeAbandoned();
  });

  return {
    name: `file://${directory}`,
    artifacts: undefined, // they are where this host keeps its own

    async read(key, { signal }) {
      checkEntry(key);
      signal.throwIfAborted();
      return await inWords(directory, () => readNewest(key, signal));
    },

    async write(key, value, { ifVersion }, { signal }) {
      checkEntry(key, value);
      signal.throwIfAborted();
      return await inWords(directory, () => writeAfter(key, value, ifVersion));
    },

    async close() {},
  };

  async function readNewest(key: string, signal: AbortSignal) {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const newest = (await numbersOf(key)).at(-1);
      if (newest === undefined) return undefined;
      try {
        const path = pathOf(key, newest);
        const { mtimeMs } = await stat(path);
        const value = await readFile(path, { signal });
        const wallMs = clock.now().getTime() - mtimeMs;
        return { value, version: `${newest}`, ageMs: Math.max(ages.of(key, `${newest}`), wallMs) };
      } catch (error) {
        if (systemCodeOf(error) !== "ENOENT") throw error; // else replaced since it was listed
      }
    }
    throw new CacheError("UNAVAILABLE", `${key} in ${directory} is being replaced all the time`);
  }

  async function writeAfter(key: string, value: Uint8Array, ifVersion: string) {
    const draft = join(directory, `${randomUUID()}.tmp`);
    try {
      await writeFile(draft, value, { mode: 0o600, flush: true });
      for (let attempt = 0; attempt < attempts; attempt++) {
        const newest = (await numbersOf(key)).at(-1);
        const current = newest === undefined ? "absent" : `${newest}`;
        if (ifVersion !== "any" && ifVersion !== current) return undefined;
        const next = (newest ?? 0) + 1;
        if (await became(key, next, draft)) return `${next}`;
      }
    } finally {
      await rm(draft, { force: true });
    }
    return undefined;
  }

  async function became(key: string, number: number, draft: string): Promise<boolean> {
    try {
      await link(draft, pathOf(key, number));
    } catch (error) {
      if (systemCodeOf(error) === "EEXIST") return false;
      throw error;
    }
    const numbers = await numbersOf(key);
    if (numbers.at(-1) !== number) {
      await rm(pathOf(key, number), { force: true }); // others have gone on and tidied up meanwhile
      return false;
    }
    for (const old of numbers.slice(0, -1)) await rm(pathOf(key, old), { force: true });
    return true;
  }

  async function numbersOf(key: string): Promise<number[]> {
    const prefix = `${key}@`;
    return (await readdir(directory))
      .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
      .map((name) => Number(name.slice(prefix.length)))
      .sort((a, b) => a - b);
  }

  function pathOf(key: string, number: number): string {
    return join(directory, `${key}@${number}`);
  }

  /** Drafts of killed processes, and entries of registries that nobody follows any more. */
  async function removeAbandoned(): Promise<void> {
    await removeOld(directory, (name) => name.endsWith(".tmp"));
    for (const name of await readdir(directory)) {
      const path = join(directory, name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }));
      if (clock.now().getTime() - mtimeMs > monthMs) await rm(path, { force: true });
    }
  }
}

/** Who may write here says what is deployed, and in a place like /tmp anybody may have been first. */
async function refuseForeign(directory: string): Promise<void> {
  const { uid } = await lstat(directory);
  if (process.getuid === undefined || uid === process.getuid() || uid === 0) return;
  const message = `the cache in ${directory} belongs to the user ${uid}`;
  const hint = "name another directory, or have it made by root or by the user that dewy runs as";
  throw new CacheError("UNAUTHORIZED", message, { hint });
}

async function inWords<Result>(directory: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const code = error instanceof DewyError ? undefined : systemCodeOf(error);
    if (code === undefined || code === "ABORT_ERR") throw error;
    throw new CacheError("UNAVAILABLE", `the cache in ${directory}: ${messageOf(error)}`, {
      cause: error,
      hint: "make the directory writable, and free some space there",
    });
  }
}
