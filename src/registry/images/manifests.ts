import type { Call } from "../../base/call.ts";
import { algorithmOf, type Digest, digestOf } from "../../oci/digest.ts";
import { OciError } from "../../oci/error.ts";
import { type Manifest, mediaTypes, parseManifest, readableManifest } from "../../oci/manifest.ts";
import { type StorageDriver, StorageError, type StoragePath } from "../storage-driver.ts";
import { holdLinked } from "./hold-linked.ts";
import type { Leases } from "./leases.ts";
import { readLink } from "./link.ts";
import { ManifestCache, type StoredManifest } from "./manifest-cache.ts";
import { manifestPlacementOn, type Pushed, type Settle } from "./manifest-placement.ts";
import { storedMediaType } from "./media-type.ts";
import { blobDataPath, revisionLinkPath } from "./paths.ts";
import type { ActorCall } from "./tag-history.ts";
import type { Tags } from "./tags.ts";

/** Distribution's limit, and the least the specification asks for. */
export const maximumManifestBytes = 4 * 1024 * 1024;

export interface ManifestPut {
  bytes: Uint8Array;
  mediaType: string | undefined;
  /** What the bytes must hash to, when they were sent under a digest. */
  expected: Digest | undefined;
  tags: readonly string[];
}

export interface Written {
  digest: Digest;
  manifest: Manifest;
}

/** `held` is what this call has held already. */
export type HoldCall = Call & { held?: Map<Digest, Promise<boolean>> };

export interface Manifests {
  /** `undefined` when the repository has no such manifest. */
  read(repository: string, digest: Digest, call: Call): Promise<StoredManifest | undefined>;
  readTag(repository: string, tag: string, call: Call): Promise<StoredManifest | undefined>;
  has(repository: string, digest: Digest, call: Call): Promise<boolean>;
  /** As `Blobs.hold`, with everything the manifest is made of. */
  hold(repository: string, digest: Digest, call: HoldCall): Promise<boolean>;
  /**
   * Stores a manifest byte for byte, then its tags; resolves when that is durable.
   *
   * @throws {OciError} `MANIFEST_INVALID`, `DIGEST_INVALID`, and what `check` throws
   */
  write(repository: string, put: ManifestPut, call: ActorCall): Promise<Written>;
  /** Takes the manifest and every tag that means it out; `false` when it was not there. */
  delete(repository: string, digest: Digest, call: ActorCall): Promise<boolean>;
}

/** Manifests, where whoever writes one sees to it that what is to run alone does. */
export type UnlockedManifests = Omit<Manifests, "write"> & {
  /** As `write`, once `settle` has run where there is one. */
  place(
    repository: string,
    put: ManifestPut,
    call: ActorCall,
  ): Promise<Written & { settle: Settle | undefined }>;
};

export interface ManifestParts {
  storage: StorageDriver;
  tags: Tags;
  leases: Leases;
  /** Holds what the manifest relies on. Throws when the repository may not take this manifest. */
  check(repository: string, manifest: Manifest, call: Call): Promise<void>;
  /** Is told of a manifest that has a link, but not its bytes. */
  damaged(digest: Digest, reason: string): void;
  /** Holds what a manifest that is there relies on. */
  holdParts(repository: string, manifest: Manifest, call: HoldCall): Promise<void>;
}

export function manifestsOn(parts: ManifestParts): UnlockedManifests {
  const { storage, tags, leases, holdParts } = parts;
  const cache = new ManifestCache();
  const placement = manifestPlacementOn(parts);

  return {
    async read(repository, digest, call) {
      const link = revisionLinkPath(repository, digest);
      const data = await linkedData(link, call);
      if (data === undefined) return undefined;
      if (leases.isDue(link)) await hold(repository, digest, call);
      return load(data, digest, call);
    },

    async readTag(repository, tag, call) {
      const digest = await tags.read(repository, tag, call);
      if (digest === undefined) return undefined;
      const known = cache.read(digest);
      if (known !== undefined) return known;
      const path = revisionLinkPath(repository, digest);
      const data = await readLink(storage, path, call);
      if (data !== undefined) return load(data, digest, call);
      // Whoever was to hold what this tag means was killed when a collection had taken it.
      if (!(await hold(repository, digest, call))) return undefined;
      return load((await readLink(storage, path, call)) ?? digest, digest, call);
    },

    async has(repository, digest, call) {
      const data = await readLink(storage, revisionLinkPath(repository, digest), call);
      return data !== undefined && (await storage.stat(blobDataPath(data), call)) !== undefined;
    },

    hold,

    async place(repository, put, call) {
      const pushed = pushedIn(put);
      return { ...pushed, settle: await placement.place(repository, pushed, put.tags, call) };
    },

    /** Tags first: killed in between, no tag means what is not there. */
    async delete(repository, digest, call) {
      const link = revisionLinkPath(repository, digest);
      if ((await storage.stat(link, call)) === undefined) return false; // a damaged one goes, too
      await untag(repository, digest, call);
      await storage.delete(link, call);
      await leases.end(link, call);
      // Another process may have tagged it after the first look, and before it was gone.
      if ((await readLink(storage, link, call)) === undefined) {
        await untag(repository, digest, call);
      }
      return true;
    },
  };

  async function untag(repository: string, digest: Digest, call: ActorCall): Promise<void> {
    for await (const tag of tags.of(repository, digest, call)) {
      await tags.delete(repository, tag, call);
    }
  }

  /** An index may name the same manifest on many ways: each is held once. */
  function hold(
    repository: string,
    digest: Digest,
    { signal, held = new Map() }: HoldCall,
  ): Promise<boolean> {
    const known = held.get(digest);
    if (known !== undefined) return known;
    const holding = holdOnce(repository, digest, { signal, held });
    held.set(digest, holding);
    return holding;
  }

  async function holdOnce(repository: string, digest: Digest, call: HoldCall): Promise<boolean> {
    const path = revisionLinkPath(repository, digest);
    const data = await holdLinked(path, digest, { storage, leases }, call);
    if (data === undefined) return false;
    const stored = await load(data, digest, call);
    const manifest = stored && readableManifest(stored.bytes);
    if (manifest !== undefined) await holdParts(repository, manifest, call);
    return true;
  }

  /** What is longer was not pushed as a manifest. */
  async function readUpToLimit(path: StoragePath, { signal }: Call) {
    try {
      return await storage.readWhole(path, { maximumBytes: maximumManifestBytes, signal });
    } catch (error) {
      if (error instanceof StorageError && error.code === "TOO_LARGE") return undefined;
      throw error;
    }
  }

  async function linkedData(path: StoragePath, call: Call): Promise<Digest | undefined> {
    const data = await readLink(storage, path, call);
    if (data !== undefined || !(await leases.rescue(path, call))) return data;
    return readLink(storage, path, call);
  }

  function damaged(digest: Digest, reason: string): undefined {
    parts.damaged(digest, reason);
    return undefined;
  }

  /** Bytes that do not hash to their own name were half written: they are as good as absent. */
  async function load(
    data: Digest,
    digest: Digest,
    { signal }: Call,
  ): Promise<StoredManifest | undefined> {
    const known = cache.read(digest);
    if (known !== undefined) return known;
    const path = blobDataPath(data);
    let bytes = await readUpToLimit(path, { signal });
    if (bytes === undefined && (await leases.rescue(path, { signal }))) {
      bytes = await readUpToLimit(path, { signal });
    }
    if (bytes === undefined) return damaged(digest, "its bytes are not there");
    if (digestOf(bytes, algorithmOf(data)) !== data) {
      return damaged(digest, "its bytes are not those it was pushed with");
    }
    const manifest = { digest, mediaType: storedMediaType(bytes), bytes };
    cache.keep(manifest);
    return manifest;
  }
}

/** @throws {OciError} `MANIFEST_INVALID` or `DIGEST_INVALID` */
function pushedIn(put: ManifestPut): Pushed {
  const { bytes, expected } = put;
  const manifest = parsed(put);
  const digest = digestOf(bytes, expected ? algorithmOf(expected) : "sha256");
  if (expected === undefined || digest === expected) return { digest, manifest, bytes };
  const why = `the manifest hashes to ${digest}, not to ${expected}`;
  throw new OciError("DIGEST_INVALID", why, { detail: expected });
}

function parsed({ bytes, mediaType }: ManifestPut): Manifest {
  const manifest = parseManifest(bytes, mediaType);
  const isDocker =
    manifest.mediaType === mediaTypes.dockerManifest ||
    manifest.mediaType === mediaTypes.dockerList;
  if (isDocker && manifest.content.mediaType === undefined) {
    // It would be served as an OCI manifest: the type is kept nowhere but in the manifest.
    throw new OciError("MANIFEST_INVALID", `a ${manifest.mediaType} must say so in its mediaType`);
  }
  return manifest;
}
