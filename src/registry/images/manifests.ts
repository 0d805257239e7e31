import type { Call } from "../../base/call.ts";
import { algorithmOf, type Digest, digestOf } from "../../oci/digest.ts";
import { OciError } from "../../oci/error.ts";
import { type Manifest, mediaTypes, parseManifest, readableManifest } from "../../oci/manifest.ts";
import { type StorageDriver, StorageError, type StoragePath } from "../storage-driver.ts";
import { holdLinked } from "./hold-linked.ts";
import type { Leases } from "./leases.ts";
import { linkAt, readLink, readLinks } from "./link.ts";
import { ManifestCache, type StoredManifest } from "./manifest-cache.ts";
import { storedMediaType } from "./media-type.ts";
import { blobDataPath, revisionLinkPath } from "./paths.ts";
import { reliedOn } from "./relied-on.ts";
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

interface Pushed {
  digest: Digest;
  manifest: Manifest;
  bytes: Uint8Array;
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
  write(
    repository: string,
    put: ManifestPut,
    call: ActorCall,
  ): Promise<{ digest: Digest; manifest: Manifest }>;
  /** Takes the manifest and every tag that means it out; `false` when it was not there. */
  delete(repository: string, digest: Digest, call: ActorCall): Promise<boolean>;
}

export interface ManifestParts {
  storage: StorageDriver;
  tags: Tags;
  leases: Leases;
  /** Holds what the manifest relies on. Throws when the repository may not take this manifest. */
  check(repository: string, manifest: Manifest, call: Call): Promise<void>;
  /** Holds what a manifest that is there relies on. */
  holdParts(repository: string, manifest: Manifest, call: HoldCall): Promise<void>;
}

export function manifestsOn(parts: ManifestParts): Manifests {
  const { storage, tags, leases, check, holdParts } = parts;
  const cache = new ManifestCache();

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

    async write(repository, put, call) {
      const manifest = parsed(put);
      const digest = digestOf(put.bytes, put.expected ? algorithmOf(put.expected) : "sha256");
      if (put.expected !== undefined && digest !== put.expected) {
        const why = `the manifest hashes to ${digest}, not to ${put.expected}`;
        throw new OciError("DIGEST_INVALID", why, { detail: put.expected });
      }
      const pushed = { digest, manifest, bytes: put.bytes };
      await link(repository, pushed, call);
      if (put.tags.length > 0) await tagAs(repository, put.tags, pushed, call);
      return { digest, manifest };
    },

    /** Tags first: killed in between, no tag means what is not there. */
    async delete(repository, digest, call) {
      const link = revisionLinkPath(repository, digest);
      if ((await readLink(storage, link, call)) === undefined) return false;
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

  /**
   * What the manifest names is held once more when the link is there: a collection that has not seen
   * the link sees that. See `Leases`.
   */
  async function link(
    repository: string,
    { digest, manifest, bytes }: Pushed,
    call: Call,
  ): Promise<void> {
    const path = revisionLinkPath(repository, digest);
    const data = blobDataPath(digest);
    const relied = reliedOn(repository, manifest);
    const [[before]] = await Promise.all([
      readLinks(storage, [path], call),
      check(repository, manifest, call),
    ]);
    const files = [{ path: data, bytes }, linkAt(path, digest)];
    const touch = [data, ...relied.paths];
    const [size, ...sizes] = await storage.place(files, { ...call, touch });
    try {
      if (size === undefined) await leases.renew(data, call);
      if (!relied.areThere(sizes)) await check(repository, manifest, call);
    } catch (error) {
      if (before === undefined) await storage.delete(path, call);
      throw error;
    }
  }

  async function untag(repository: string, digest: Digest, call: ActorCall): Promise<void> {
    for await (const tag of tags.of(repository, digest, call)) {
      await tags.delete(repository, tag, call);
    }
  }

  /** Tags that would mean what is gone for good mean again what they meant before. */
  async function tagAs(
    repository: string,
    names: readonly string[],
    pushed: Pushed,
    call: ActorCall,
  ): Promise<void> {
    const own = [blobDataPath(pushed.digest), revisionLinkPath(repository, pushed.digest)];
    const relied = reliedOn(repository, pushed.manifest);
    const touch = [...own, ...relied.paths];
    const before = new Map<string, Digest | undefined>();
    let isKept = false;
    for (const name of names) {
      const written = await tags.write(repository, name, pushed.digest, { ...call, touch });
      before.set(name, written.before);
      const [data, link, ...sizes] = written.touched;
      isKept = data !== undefined && link !== undefined && relied.areThere(sizes);
    }
    try {
      if (!isKept) await keep(repository, pushed, call);
    } catch (error) {
      for (const [name, digest] of before) {
        if (digest === undefined) await tags.delete(repository, name, call);
        else await tags.write(repository, name, digest, call);
      }
      throw error;
    }
  }

  /**
   * Holds all of a manifest that has a tag now. A collection that began after its link was written,
   * and has not seen the tag, has taken it, or is about to.
   */
  async function keep(
    repository: string,
    { digest, manifest, bytes }: Pushed,
    call: Call,
  ): Promise<void> {
    const [data, path] = [blobDataPath(digest), revisionLinkPath(repository, digest)];
    const [present] = await Promise.all([
      leases.renewPresent([data, path], call),
      check(repository, manifest, call),
    ]);
    if (!present.includes(undefined)) return;
    if (!(await leases.renew(data, call))) await storage.write(data, bytes, call);
    if (!(await leases.renew(path, call))) await storage.place([linkAt(path, digest)], call);
    await check(repository, manifest, call);
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
    if (bytes === undefined || digestOf(bytes, algorithmOf(data)) !== data) return undefined;
    const manifest = { digest, mediaType: storedMediaType(bytes), bytes };
    cache.keep(manifest);
    return manifest;
  }
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
