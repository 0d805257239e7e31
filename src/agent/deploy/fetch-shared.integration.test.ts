import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Clock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { openMemoryBucket, openMemoryStore } from "../../objects/memory.fake.ts";
import { digestOf } from "../../oci/digest.ts";
import { type ArtifactCache, type Cache, CacheError } from "../cache.ts";
import { openObjectCache } from "../caches/objects.ts";
import type { Artifact } from "../release.ts";
import { FakeArtifactSource } from "./artifact-source.fake.ts";
import { openArtifactStore } from "./artifact-store.ts";
import { fetchArtifact } from "./fetch.ts";
import { openSharedArtifacts } from "./shared-artifacts.ts";

const body = randomBytes(50_000);
const digest = digestOf(body);

describe("fetchArtifact, with a cache that is shared,", () => {
  it.each([
    ["as the registry does", digest],
    ["where the registry tells none", undefined],
  ])("takes what another host has fetched, and knows its digest %s", async (_how, told) => {
    const { signal } = new AbortController();
    const cache = openCache();
    const one = await openHost(cache, { digest: told });
    const other = await openHost(cache, { digest: told });

    const first = await one.fetch(signal);
    await one.settled();
    const second = await other.fetch(signal);
    const again = await other.fetch(signal);

    expect([first.from, second.from, again.from]).toEqual(["registry", "cache", "disk"]);
    expect(second.digest).toBe(digest);
    expect((await readFile(second.path)).equals(body)).toBe(true);
    expect(other.source.opened).toEqual([]);
  });

  it("asks the registry when the cache holds something else, and removes that", async ({
    signal,
  }) => {
    const cache = cacheWith(Buffer.alloc(body.length, "tampered"));
    const host = await openHost(cache);

    const fetched = await host.fetch(signal);
    await host.settled();

    expect(fetched.from).toBe("registry");
    expect((await readFile(fetched.path)).equals(body)).toBe(true);
    expect(host.messages("warn")).toEqual([
      "A shared artifact is not usable, and the registry is asked",
    ]);
    expect(await host.partials()).toEqual([]);
    const next = await openHost(cache);
    expect((await next.fetch(signal)).from).toBe("cache");
  });

  it.each([
    ["shorter than announced", body.subarray(0, 20_000)],
    ["longer than announced", Buffer.concat([body, body])],
  ])("does not take what is %s", async (_what, content) => {
    const { signal } = new AbortController();
    const cache = cacheWith(content);
    const host = await openHost(cache, { digest: undefined });
    await host.record(signal);

    const fetched = await host.fetch(signal);

    expect(fetched).toMatchObject({ from: "registry", digest });
    expect((await readFile(fetched.path)).equals(body)).toBe(true);
  });

  it("puts nothing of a cache that broke off in front of what the registry sends", async ({
    signal,
  }) => {
    const cache = openCache();
    const halting = withArtifacts(cache, {
      has: async () => true,
      open: async () => ({ bytes: breakingOff(), from: 0 }),
    });
    const host = await openHost(halting, { digest: undefined });
    await host.record(signal);

    const fetched = await host.fetch(signal);

    expect(fetched).toMatchObject({ from: "registry", digest });
    expect(host.source.opened).toEqual([0]);
    expect(await host.partials()).toEqual([]);
  });

  it("fetches from the registry while the cache is down, and says so", async ({ signal }) => {
    const down = () => Promise.reject(new CacheError("UNAVAILABLE", "nothing listens there"));
    const host = await openHost(withArtifacts(openCache(), { has: down, open: down, put: down }));

    const fetched = await host.fetch(signal);
    await host.settled();

    expect(fetched.from).toBe("registry");
    expect(host.messages("warn")).toEqual([
      "A shared artifact is not usable, and the registry is asked",
      "An artifact could not be shared",
    ]);
  });

  it("does not wait until an artifact is shared, and breaks that off at the end", async ({
    signal,
  }) => {
    let [begun, stopped] = [false, false];
    const slow = withArtifacts(openCache(), {
      put: (_artifact, _bytes, call) =>
        new Promise((_resolve, reject) => {
          begun = true;
          call.signal.addEventListener("abort", () => {
            stopped = true;
            reject(call.signal.reason);
          });
        }),
    });
    const host = await openHost(slow);

    const fetched = await host.fetch(signal);
    await expect.poll(() => begun).toBe(true);
    const wasStopped = stopped;
    await host.close();

    expect([fetched.from, wasStopped, stopped]).toEqual(["registry", false, true]);
    expect(host.messages("warn")).toEqual([]);
  });

  it("does not offer what the cache does not take", async ({ signal }) => {
    const small = withArtifacts(openCache(), { maximumBytes: 49_999 });
    const host = await openHost(small);

    await host.fetch(signal);
    await host.settled();

    expect(await small.artifacts?.has(digest, { signal })).toBe(false);
    expect(host.messages("warn")).toEqual([]);
  });

  it("keeps the records of two registries apart", async ({ signal }) => {
    const cache = openCache();
    const one = await openHost(cache, { digest: undefined }, "v1");
    const other = await openHost(cache, { digest: undefined }, "v2");
    await one.fetch(signal);
    await one.settled();

    expect((await other.fetch(signal)).from).toBe("registry");
  });
});

function openCache(bucket = openMemoryBucket()): Cache {
  const store = openMemoryStore(bucket);
  return openObjectCache({ name: "s3://x", store, prefix: "", maximumBytes: 1024 ** 3 });
}

/** A cache that holds `content` under the digest of `body`. */
function cacheWith(content: Buffer): Cache {
  const bucket = openMemoryBucket();
  bucket.put(`artifacts/${digest.replace(":", "-")}`, content);
  return openCache(bucket);
}

function withArtifacts(cache: Cache, changes: Partial<ArtifactCache>): Cache {
  const { artifacts } = cache;
  if (artifacts === undefined) throw new Error("it holds none");
  return { ...cache, artifacts: { ...artifacts, ...changes } };
}

async function* breakingOff() {
  yield randomBytes(10_000);
  throw new CacheError("UNAVAILABLE", "the cache broke off");
}

/** One host with a disk of its own, and a registry that has `body`. */
async function openHost(cache: Cache, changes: Partial<Artifact> = {}, scope = "") {
  const directory = await mkdtemp(join(tmpdir(), "dewy-shared-"));
  const logger = new FakeLogger();
  const source = new FakeArtifactSource({ body });
  const registry = { name: source.name, scope };
  const shared = openSharedArtifacts({ cache, registry, logger });
  if (shared === undefined) throw new Error("nothing is shared");
  onTestFinished(async () => {
    await shared.close();
    await rm(directory, { recursive: true });
  });
  const store = await openArtifactStore(directory, logger);
  const artifact: Artifact = {
    ...{ name: "app.tar.gz", platform: undefined, sizeBytes: body.length, digest },
    ...{ identity: "one", url: "fake://source/app.tar.gz" },
    ...changes,
  };
  const parts = { registry: source, artifact, store, shared, clock: hastyClock, logger };

  return {
    source,
    fetch: (signal: AbortSignal) => fetchArtifact(parts, { signal }),
    messages: logger.messages.bind(logger),
    partials: () => readdir(join(directory, "partial")),
    close: shared.close,
    settled: shared.settled,
    /** As if a host had shared `body` under this artifact's name. */
    record: (signal: AbortSignal) => shared.record(artifact, digest, { signal }),
  };
}

/** Its waits are over at once. */
const hastyClock: Clock = { now: () => new Date(), sleep: async () => {} };
