import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { removeDrafts, syncDirectory, writeFileWhole } from "../../base/atomic-file.ts";
import type { Bytes } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { Logger } from "../../base/logger.ts";
import { makeDirectory } from "../../base/make-directory.ts";
import { statsOf } from "../../base/path-stats.ts";
import {
  algorithmOf,
  type Digest,
  type DigestAlgorithm,
  endDigest,
  hexOf,
  isDigest,
} from "../../oci/digest.ts";
import type { Artifact } from "../release.ts";

const algorithms: readonly DigestAlgorithm[] = ["sha256", "sha512"];
const dayMs = 86_400_000;
const gib = 1024 ** 3;
const Identities = v.record(
  v.string(),
  v.custom<Digest>((text) => isDigest(String(text))),
);

export interface StoredArtifact {
  path: string;
  digest: Digest;
  sizeBytes: number;
}

/**
 * The artifacts that one app has fetched, by digest:
 *
 * ```
 * <directory>/sha256/<hex>         complete, and never changed
 * <directory>/partial/<key>        being fetched, or cut off; <key> names artifact and identity
 * <directory>/identities.json      which digest a <key> had, where the registry tells none
 * ```
 */
export interface ArtifactStore {
  readonly directory: string;
  /** What is stored under `digest`, hashed again; one that has rotted is removed. */
  find(digest: Digest, call: Call): Promise<StoredArtifact | undefined>;
  /** The digest `artifact` had when it was last fetched, if its identity is still the same. */
  knownDigest(artifact: Artifact): Promise<Digest | undefined>;
  remember(artifact: Artifact, digest: Digest): Promise<void>;
  partialPath(artifact: Artifact): string;
  /** Where an artifact of this digest is, or would be. */
  pathOf(digest: Digest): string;
  /** Gives a complete, synced partial its final name. */
  publish(partialPath: string, digest: Digest): Promise<string>;
  /**
   * Keeps `keep`, given newest first, up to `maximumBytes` (the store's) in all, and removes the rest
   * and the partials of a day ago. The first is kept in any case, as without it the active release
   * could not be unpacked again; only a store of 0 bytes keeps nothing.
   */
  prune(keep: readonly Digest[], options?: { maximumBytes?: number; now?: Date }): Promise<void>;
}

export async function openArtifactStore(
  directory: string,
  logger: Logger,
  { maximumBytes: most = 10 * gib }: { maximumBytes?: number } = {},
): Promise<ArtifactStore> {
  const partials = join(directory, "partial");
  const identitiesPath = join(directory, "identities.json");
  for (const name of ["", ...algorithms, "partial"]) {
    await makeDirectory(join(directory, name), 0o700);
  }

  return {
    directory,

    async find(digest, { signal }) {
      const path = pathOf(digest);
      const sizeBytes = await sizeOf(path);
      if (sizeBytes === undefined) return undefined;
      const actual = await hashOf(createReadStream(path, { signal }), algorithmOf(digest));
      if (actual === digest) return { path, digest, sizeBytes };
      logger.warn("A stored artifact has rotted and is removed", { path, actual });
      await rm(path);
      return undefined;
    },

    async knownDigest(artifact) {
      return (await readIdentities())[keyOf(artifact)];
    },

    async remember(artifact, digest) {
      await writeIdentities({ ...(await readIdentities()), [keyOf(artifact)]: digest });
    },

    partialPath: (artifact) => join(partials, keyOf(artifact)),
    pathOf,

    async publish(partialPath, digest) {
      const path = pathOf(digest);
      await rename(partialPath, path);
      await syncDirectory(join(directory, algorithmOf(digest)));
      return path;
    },

    async prune(keep, { maximumBytes = most, now = new Date() } = {}) {
      const kept = new Set(await withinBudget(keep, maximumBytes));
      for (const algorithm of algorithms) {
        for (const hex of await readdir(join(directory, algorithm))) {
          const path = join(directory, algorithm, hex);
          if (!kept.has(path)) await rm(path, { recursive: true });
        }
      }
      await prunePartials(now);
      await removeDrafts(identitiesPath);
      const identities = Object.entries(await readIdentities());
      const current = identities.filter(([, digest]) => kept.has(pathOf(digest)));
      if (current.length < identities.length) await writeIdentities(Object.fromEntries(current));
    },
  };

  function pathOf(digest: Digest): string {
    return join(directory, algorithmOf(digest), hexOf(digest));
  }

  async function withinBudget(keep: readonly Digest[], maximumBytes: number): Promise<string[]> {
    const kept: string[] = [];
    let total = 0;
    for (const path of new Set(keep.map(pathOf))) {
      total += (await sizeOf(path)) ?? 0;
      const isFirst = kept.length === 0 && maximumBytes > 0;
      if (isFirst || total <= maximumBytes) kept.push(path);
    }
    return kept;
  }

  async function prunePartials(now: Date): Promise<void> {
    for (const name of await readdir(partials)) {
      const path = join(partials, name);
      const { mtimeMs } = await lstat(path);
      if (now.getTime() - mtimeMs > dayMs) await rm(path, { recursive: true });
    }
  }

  /** Only a cache: what cannot be read is as good as empty. */
  async function readIdentities(): Promise<Record<string, Digest>> {
    try {
      return v.parse(Identities, JSON.parse(await readFile(identitiesPath, "utf8")));
    } catch {
      return {};
    }
  }

  async function writeIdentities(identities: Record<string, Digest>): Promise<void> {
    await writeFileWhole(identitiesPath, JSON.stringify(identities), { mode: 0o600 });
  }
}

async function hashOf(bytes: Bytes, algorithm: DigestAlgorithm): Promise<Digest> {
  const hash = createHash(algorithm);
  for await (const chunk of bytes) hash.update(chunk);
  return endDigest(algorithm, hash);
}

function keyOf({ name, url, identity }: Artifact): string {
  return createHash("sha256")
    .update(JSON.stringify([name, url, identity]))
    .digest("hex");
}

async function sizeOf(path: string): Promise<number | undefined> {
  const stats = await statsOf(path);
  return stats?.isFile() ? stats.size : undefined;
}
