import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { silentLogger } from "../../base/logger.ts";
import { digestOf } from "../../oci/digest.ts";
import { push } from "../served-registry.fake.ts";
import { openInmemoryStorage } from "../storage/inmemory.ts";
import { type MirrorCache, openMirrorCache } from "./mirror-cache.ts";
import { openMirrorHere } from "./opened-mirror.fake.ts";
import { serveFakeUpstream } from "./upstream.fake.ts";

const hourMs = 3_600_000;

describe("the cache of a mirror", () => {
  it("lets the least recently used go when it is too much", async () => {
    const { cache, clock } = await openCache({ maximumBytes: 2500 });
    const first = await store(cache, 1000);
    const second = await store(cache, 1000);
    await clock.advance(1000);
    cache.used(first, 1000, place);

    const third = await store(cache, 1000);

    expect(await present(cache, [first, second, third])).toEqual([true, false, true]);
  });

  it("keeps what is being served, however full it is", async () => {
    const { cache } = await openCache({ maximumBytes: 1500 });
    const served = await store(cache, 1000);
    const release = cache.pin(served);

    const other = await store(cache, 1000);
    expect(await present(cache, [served, other])).toEqual([true, true]);

    release();
    await cache.tidy(call);
    expect(await present(cache, [served, other])).toEqual([false, true]);
  });

  it("leaves neither bytes nor names of what it lets go", async () => {
    const { cache, storage } = await openCache({ maximumBytes: 10 });
    await store(cache, 1000);

    await cache.tidy(call);

    expect(await namesBelow(storage, "/docker/registry/v2/repositories")).toEqual([]);
    expect(await namesBelow(storage, "/docker/registry/v2/blobs")).toEqual([]);
  });

  it.each([
    ["what nobody has used for the ttl goes", hourMs, false],
    ["with a ttl of 0 everything stays", 0, true],
  ])("knows its ttl: %s", async (_title, ttlMs, isThere) => {
    const { cache, clock } = await openCache({ ttlMs });
    const unused = await store(cache, 1000);
    const used = await store(cache, 1000);
    await clock.advance(hourMs - 1000);
    cache.used(used, 1000, place);
    await clock.advance(2000);

    await cache.tidy(call);

    expect(await present(cache, [unused, used])).toEqual([isThere, true]);
  });

  it("remembers across a restart what was used when", async () => {
    const before = await openCache({});
    const first = await store(before.cache, 1000);
    const second = await store(before.cache, 1000);
    await before.clock.advance(1000);
    before.cache.used(first, 1000, place);
    await before.cache.close(call);

    const { cache } = await openCache({ ...before, maximumBytes: 1500 });
    await cache.tidy(call);

    expect(await present(cache, [first, second])).toEqual([true, false]);
  });

  it("takes away what a killed process has left", async () => {
    const before = await openCache({});
    const whole = await store(before.cache, 1000);
    const broken = await store(before.cache, 1000);
    await before.storage.delete(dataOf(broken), call);
    await before.storage.write(dataOf(digestOf("nobody's")), Buffer.from("nobody's"), call);
    await before.cache.store.uploads.begin("app", { ...call, algorithm: "sha256" });
    await before.clock.advance(25 * hourMs);

    const { cache, storage } = await openCache(before);

    const left = await namesBelow(storage, "/docker");
    const hex = whole.slice("sha256:".length);
    expect(left.filter((path) => !path.includes(hex))).toEqual([]);
    expect(await present(cache, [whole])).toEqual([true]);
  });
});

describe("a mirror with a full cache", () => {
  it("stays within its bound, and never touches what was pushed", async () => {
    const upstream = await serveFakeUpstream();
    const proxy = { upstreams: [{ prefix: "up", remoteurl: upstream.url }], maxsize: "100kB" };
    const mirror = await openMirrorHere(proxy);
    const pushed = randomBytes(150_000);
    await push(mirror.address, "ours/app", pushed);

    for (let count = 0; count < 6; count++) {
      const { layer } = upstream.image("app", `v${count}`, randomBytes(40_000));
      const answer = await mirror.get(`up/app/blobs/${layer}`);
      expect(digestOf(Buffer.from(await answer.arrayBuffer()))).toBe(layer);
      await mirror.stored(layer);
      expect(await blobsIn(mirror.directory)).toBeLessThanOrEqual(2);
    }

    const answer = await mirror.get(`ours/app/blobs/${digestOf(pushed)}`);
    expect(digestOf(Buffer.from(await answer.arrayBuffer()))).toBe(digestOf(pushed));
  });
});

const call = { signal: new AbortController().signal };
const place = { repository: "app", kind: "blob" } as const;

type Storage = ReturnType<typeof openInmemoryStorage>;

async function openCache({
  clock = new FakeClock(),
  storage = openInmemoryStorage(() => clock.now()),
  ttlMs = 0,
  maximumBytes,
}: {
  clock?: FakeClock;
  storage?: Storage;
  ttlMs?: number;
  maximumBytes?: number;
}) {
  const parts = { storage, clock, logger: silentLogger, ttlMs, maximumBytes, call };
  const cache = openMirrorCache(parts);
  await cache.surveyed;
  return { cache, clock, storage };
}

async function store(cache: MirrorCache, size: number) {
  const bytes = randomBytes(size);
  const digest = digestOf(bytes);
  const room = await cache.makeRoom(size, call);
  const { uploads } = cache.store;
  const { id } = await uploads.begin("app", { ...call, algorithm: "sha256" });
  const source = (async function* () {
    yield bytes;
  })();
  await uploads.commit("app", id, { digest, chunk: { source, at: 0 } }, call);
  cache.used(digest, size, place);
  room();
  return digest;
}

function present(cache: MirrorCache, digests: Awaited<ReturnType<typeof store>>[]) {
  return Promise.all(
    digests.map(
      async (digest) => (await cache.store.blobs.find("app", digest, call)) !== undefined,
    ),
  );
}

function dataOf(digest: string) {
  const hex = digest.slice("sha256:".length);
  return `/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data` as const;
}

async function namesBelow(storage: Storage, path: `/${string}`): Promise<string[]> {
  const names: string[] = [];
  for await (const name of storage.list(path, call)) {
    const below = await namesBelow(storage, `${path}/${name}`);
    names.push(...(below.length === 0 ? [`${path}/${name}`] : below));
  }
  return names;
}

async function blobsIn(directory: string): Promise<number> {
  const blobs = join(directory, "mirror/docker/registry/v2/blobs");
  const names = await readdir(blobs, { recursive: true });
  return names.filter((name) => name.endsWith("/data")).length;
}
