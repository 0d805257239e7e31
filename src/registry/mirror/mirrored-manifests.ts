import { type Call, orAborted } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Digest } from "../../oci/digest.ts";
import { OciError } from "../../oci/error.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import type { StoredManifest } from "../images/manifest-cache.ts";
import type { ManifestPut, Manifests } from "../images/manifests.ts";
import { StorageError } from "../storage-driver.ts";
import { Flights } from "./flights.ts";
import type { KnownSizes } from "./known-sizes.ts";
import type { MirrorCache } from "./mirror-cache.ts";
import type { MirrorCounts } from "./mirror-counts.ts";
import { isAbsence, orStale } from "./stale.ts";
import { TagMemory } from "./tag-memory.ts";
import type { Place } from "./upstream.ts";

export interface MirroredManifestsParts {
  cache: MirrorCache;
  /** Where pushed content is, and what a mirror of Distribution's has left. */
  own: Manifests;
  sizes: KnownSizes;
  counts: MirrorCounts;
  tagTtlMs: number;
  patienceMs: number;
  clock: Clock;
  logger: Logger;
  call: Call;
}

export interface MirroredManifests {
  read(place: Place, digest: Digest, call: Call): Promise<StoredManifest | undefined>;
  readTag(place: Place, tag: string, call: Call): Promise<StoredManifest | undefined>;
  /** Resolves when nothing is being fetched any more. */
  ended(): Promise<void>;
}

/**
 * Manifests by digest are fetched once. A tag is asked for with a HEAD, which Docker Hub does not
 * count as a pull, when it has not been for a while; what it means is then fetched by digest.
 */
export function mirroredManifests(parts: MirroredManifestsParts): MirroredManifests {
  const { cache, own, sizes, counts, patienceMs, logger } = parts;
  const flights = new Flights<StoredManifest | undefined>();
  const asked = new TagMemory(parts.tagTtlMs, parts.clock);

  return {
    async read(place, digest, call) {
      const stored = await readStored(place, digest, call);
      if (stored !== undefined) return count("hits", stored);
      return count("misses", await orAborted(fetchOnce(place, digest), call.signal));
    },

    readTag,

    ended: () => flights.ended(),
  };

  async function readTag(
    place: Place,
    tag: string,
    call: Call,
  ): Promise<StoredManifest | undefined> {
    const key = `${place.repository}:${tag}`;
    const known = asked.fresh(key);
    if (known !== undefined) {
      const stored = known.digest && (await readStored(place, known.digest, call));
      if (stored !== undefined) return count("hits", stored);
      if (known.digest === undefined) return undefined;
    }
    const stored = await storedUnder(place, tag, call);
    const isKnownNow = known === undefined && asked.fresh(key) !== undefined;
    if (isKnownNow) return await readTag(place, tag, call); // somebody else has asked meanwhile
    const flight = flights.join(key, () => absentAsUndefined(ask(place, tag, stored)));
    if (stored === undefined) return count("misses", await orAborted(flight, call.signal));
    const { upstream } = place;
    return count("hits", await orStale(flight, stored, { upstream, patienceMs }, call));
  }

  function count<Found extends StoredManifest | undefined>(
    what: "hits" | "misses",
    manifest: Found,
  ): Found {
    counts.manifest.requests++;
    counts.manifest[what]++;
    counts.manifest.pushedBytes += manifest?.bytes.length ?? 0;
    return manifest;
  }

  async function readStored(
    { repository }: Place,
    digest: Digest,
    call: Call,
  ): Promise<StoredManifest | undefined> {
    const stored = await cache.store.manifests.read(repository, digest, call);
    if (stored === undefined) return await own.read(repository, digest, call);
    cache.used(digest, stored.bytes.length, { repository, kind: "manifest" });
    return stored;
  }

  async function storedUnder(
    place: Place,
    tag: string,
    call: Call,
  ): Promise<StoredManifest | undefined> {
    const digest = await cache.store.tags.read(place.repository, tag, call);
    const stored = digest && (await readStored(place, digest, call));
    return stored ?? (await own.readTag(place.repository, tag, call));
  }

  /** What the tag means now. Whoever waits for it may leave; others want it, too. */
  async function ask(
    place: Place,
    tag: string,
    stored: StoredManifest | undefined,
  ): Promise<StoredManifest | undefined> {
    const { call } = parts;
    const { repository, remote, upstream } = place;
    const key = `${repository}:${tag}`;
    const justAsked = asked.fresh(key)?.digest; // by a flight that ended while this one's files were read
    const known = justAsked && (await readStored(place, justAsked, call));
    if (known) return known;
    const head = await upstream.ask(call, (client) =>
      client.headManifest(remote, tag, { ...call, known: stored?.digest }),
    );
    if (head === undefined) {
      await cache.store.tags.delete(repository, tag, call);
      asked.keep(key, undefined);
      return undefined;
    }
    const manifest = head.digest
      ? ((await readStored(place, head.digest, call)) ?? (await fetchOnce(place, head.digest)))
      : await fetch(place, tag);
    if (manifest === undefined) return undefined; // deleted between the two questions
    await moveTag(place, tag, manifest.digest);
    asked.keep(key, manifest.digest);
    return manifest;
  }

  function fetchOnce(place: Place, digest: Digest): Promise<StoredManifest | undefined> {
    const key = `${place.repository}@${digest}`;
    return flights.join(key, () => absentAsUndefined(fetch(place, digest)));
  }

  /** Only where it means something else, as it costs a write. */
  async function moveTag({ repository }: Place, tag: string, digest: Digest): Promise<void> {
    const { call } = parts;
    const { tags, manifests } = cache.store;
    if ((await tags.read(repository, tag, call)) === digest) return;
    if (!(await manifests.has(repository, digest, call))) return; // it could not be stored
    await tags.write(repository, [tag], digest, { ...call, touch: [] }).catch(onlyReported);
  }

  async function fetch(place: Place, reference: string): Promise<StoredManifest> {
    const { call } = parts;
    const { repository, remote, upstream } = place;
    const fetched = await upstream.ask(call, async (client) => {
      const answer = await client.manifest(remote, reference, call);
      if (isObject(answer.bytes)) return answer;
      const what = `${answer.mediaType ?? "something"} that is no JSON object`;
      throw new OciError("MANIFEST_INVALID", `for a manifest it sent ${what}`);
    });
    const { bytes, digest, mediaType = mediaTypes.ociManifest } = fetched;
    counts.manifest.pulledBytes += bytes.length;
    sizes.learn(repository, bytes);
    const put = { bytes, mediaType: fetched.mediaType, expected: digest, tags: [] };
    await store(repository, put).catch(onlyReported);
    return { digest, mediaType, bytes };
  }

  async function store(repository: string, put: ManifestPut & { expected: Digest }): Promise<void> {
    const { call } = parts;
    const room = await cache.makeRoom(put.bytes.length, call);
    try {
      await cache.store.manifests.write(repository, put, call);
      cache.used(put.expected, put.bytes.length, { repository, kind: "manifest" });
    } finally {
      room();
    }
  }

  /** What cannot be stored is still what was asked for. */
  function onlyReported(error: unknown): void {
    if (!(error instanceof StorageError || error instanceof OciError)) throw error;
    logger.warn("the mirror cannot store a manifest", { error });
  }
}

/** Which the page of a proxy that wants a login is not, whatever its status. */
function isObject(bytes: Uint8Array): boolean {
  return /^\s*\{/.test(Buffer.from(bytes.subarray(0, 100)).toString("latin1"));
}

async function absentAsUndefined<Value>(
  work: Promise<Value | undefined>,
): Promise<Value | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}
