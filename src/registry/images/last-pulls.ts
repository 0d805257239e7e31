import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Digest } from "../../oci/digest.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";
import { pulledManifestPath, pulledTagPath } from "./paths.ts";

/** What was pulled; with `tag`, by that name. */
export interface Pull {
  repository: string;
  digest: Digest;
  tag: string | undefined;
}

/** Remembers when manifests and tags were pulled last, to within a minute; nothing relies on it. */
export interface LastPulls {
  /** Returns at once: nobody's pull waits for it, or fails because of it. */
  note(pull: Pull, call: Call): void;
  /** `undefined` where no pull is known of, which may also mean that it was before this was kept. */
  ofManifest(repository: string, digest: Digest, call: Call): Promise<Date | undefined>;
  ofTag(repository: string, tag: string, call: Call): Promise<Date | undefined>;
  /** Resolves when all that was noted so far is written. */
  settled(): Promise<void>;
}

export interface LastPullsParts {
  /** Whether pulls of it are noted; all are, unless told. */
  isNoted?: (repository: string) => boolean;
  clock: Clock;
  logger: Logger;
}

const refreshMs = 60_000;
const maximumRemembered = 50_000;
/** Beyond that, what is pulled is noted the next time: a slow disk must not fill the memory. */
const mostAtOnce = 64;

export function lastPullsOn(
  storage: StorageDriver,
  { isNoted = () => true, clock, logger }: LastPullsParts,
): LastPulls {
  const noted = new Map<StoragePath, number>();
  const writing = new Set<Promise<void>>();
  let isFailing = false;

  return {
    note({ repository, digest, tag }, call) {
      if (!isNoted(repository)) return;
      mark(pulledManifestPath(repository, digest), call);
      if (tag !== undefined) mark(pulledTagPath(repository, tag), call);
    },

    ofManifest: (repository, digest, call) => timeOf(pulledManifestPath(repository, digest), call),
    ofTag: (repository, tag, call) => timeOf(pulledTagPath(repository, tag), call),

    async settled() {
      await Promise.all(writing);
    },
  };

  function mark(path: StoragePath, call: Call): void {
    if (writing.size >= mostAtOnce || !isDue(path)) return;
    const work = write(path, call).finally(() => writing.delete(work));
    writing.add(work);
  }

  function isDue(path: StoragePath): boolean {
    const nowMs = clock.now().getTime();
    const lastMs = noted.get(path);
    if (lastMs !== undefined && nowMs >= lastMs && nowMs - lastMs < refreshMs) return false;
    noted.delete(path);
    noted.set(path, nowMs);
    const oldest = noted.keys().next();
    if (noted.size > maximumRemembered && !oldest.done) noted.delete(oldest.value);
    return true;
  }

  /** The time of last change is all there is to say. Told once, until it works again. */
  async function write(path: StoragePath, { signal }: Call): Promise<void> {
    try {
      const [size] = await storage.touch([path], { signal });
      if (size === undefined) await storage.extend(path, new Uint8Array(), { signal });
      isFailing = false;
    } catch (error) {
      if (isFailing || isEchoOf(signal, error)) return;
      isFailing = true;
      logger.warn("it cannot be noted what is pulled when", { error });
    }
  }

  async function timeOf(path: StoragePath, call: Call): Promise<Date | undefined> {
    return (await storage.stat(path, call))?.modified;
  }
}
