import { randomBytes } from "node:crypto";
import { describe, expect, it, onTestFinished } from "vitest";
import { collect, streamOf } from "../../base/bytes.ts";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { digestOf, parseDigest } from "../../oci/digest.ts";
import { parseRegistryConfig } from "../config.ts";
import type { Blob } from "../images/blobs.ts";
import { imageStoreOn } from "../images/image-store.ts";
import { openInmemoryStorage } from "../storage/inmemory.ts";
import { placingThrough } from "../storage-driver.fake.ts";
import { type ReadRange, type StorageDriver, StorageError } from "../storage-driver.ts";
import { openImageMirror } from "./image-mirror.ts";
import { noCounts } from "./mirror-counts.ts";
import { sendPart, serveFakeUpstream } from "./upstream.fake.ts";

const layer = randomBytes(300_000);
const digest = digestOf(layer);

describe("a mirror whose storage is full", () => {
  it("passes on what it cannot store, checked all the same", async ({ signal }) => {
    const { upstream, mirror, logger } = await openOn(0);

    const manifest = await mirror.store.manifests.readTag("app", "v1", { signal });
    const blob = await mirror.store.blobs.find("app", digest, { signal });
    const whole = await collect(await opened(blob, {}), 1e6);
    const part = await collect(await opened(blob, { from: 5, to: 10 }), 1e6);

    expect(manifest?.digest).toMatch(/^sha256:/);
    expect(digestOf(whole)).toBe(digest);
    expect(part.equals(layer.subarray(5, 10))).toBe(true);
    expect(logger.messages("error")).toContain("the mirror cannot store what it fetches");

    upstream.blobInstead = (request, response) => sendPart(request, response, randomBytes(300_000));
    const wrong = await mirror.store.blobs.find("app", digest, { signal });
    const reading = (async () => collect(await opened(wrong, {}), 1e6))();
    await expect(reading).rejects.toMatchObject({ code: "UNAVAILABLE", status: 502 });
  });

  it("passes on what it wants when older things cannot go", async ({ signal }) => {
    const { upstream, mirror } = await openOn(
      1e6,
      { maxsize: "400kB" },
      { discard: () => Promise.reject(new StorageError("READ_ONLY", "read-only")) },
    );
    const older = randomBytes(300_000);
    upstream.image("app", "v0", older);

    for (const name of [digestOf(older), digest]) {
      const blob = await mirror.store.blobs.find("app", name, { signal });
      expect(digestOf(await collect(await opened(blob, {}), 1e6))).toBe(name);
      await mirror.surveyed;
    }
  });

  it("lets older things go for what is wanted now", async ({ signal }) => {
    const { upstream, mirror } = await openOn(500_000);
    const older = randomBytes(300_000);
    upstream.image("app", "v0", older);
    const pull = async (name: string) => {
      const blob = await mirror.store.blobs.find("app", parseDigest(name), { signal });
      return digestOf(await collect(await opened(blob, {}), 1e6));
    };

    expect(await pull(digestOf(older))).toBe(digestOf(older));
    expect(await pull(digest)).toBe(digest);
    expect(await pull(digest)).toBe(digest);

    const gets = upstream.requests.filter((line) => line === `GET /v2/app/blobs/${digest}`);
    expect(gets).toHaveLength(2); // the second one goes on where the storage was full
    expect(upstream.ranges).toHaveLength(1);
  });
});

async function openOn(capacity: number, options: object = {}, broken: Partial<StorageDriver> = {}) {
  const upstream = await serveFakeUpstream();
  upstream.image("app", "v1", layer);
  const storage = { ...smallStorage(capacity), ...broken };
  const logger = new FakeLogger();
  const clock = systemClock;
  const own = imageStoreOn(storage, { clock, validation: undefined });
  const proxy = { remoteurl: upstream.url, ...options };
  const text = JSON.stringify({ version: 0.1, storage: { inmemory: {} }, proxy });
  const config = parseRegistryConfig({ file: "config.yml", text, environment: {} });
  if (config.proxy === undefined) throw new Error("no proxy");
  const parts = {
    own,
    storage,
    counts: noCounts(),
    environment: {},
    tracing: undefined,
    clock,
    logger,
  };
  const mirror = openImageMirror(config.proxy, parts);
  onTestFinished(() => mirror.close({ signal: AbortSignal.timeout(5_000) }));
  return { upstream, mirror, logger };
}

async function opened(blob: Blob | undefined, range: ReadRange) {
  if (blob === undefined) throw new Error("there is no such blob");
  return await blob.open(range, { signal: AbortSignal.timeout(10_000) });
}

/** Has room for so many bytes of uploads and blobs; what is small fits always. */
function smallStorage(capacity: number): StorageDriver {
  const storage = openInmemoryStorage(() => new Date());
  const signal = new AbortController().signal;
  const full = () => new StorageError("NO_SPACE", "no space left");
  const used = async (path: `/${string}`): Promise<number> => {
    let bytes = (await storage.stat(path, { signal }))?.size ?? 0;
    for await (const name of storage.list(path, { signal })) bytes += await used(`${path}/${name}`);
    return bytes;
  };
  const placing = placingThrough(storage, async (path, put) => {
    if (capacity === 0 && path.endsWith("/data")) throw full();
    await put();
  });
  return {
    ...placing,
    async append(path, source, call) {
      const bytes = await collect(source, 1e6);
      if (bytes.length > 1000 && (await used("/mirror")) + bytes.length > capacity) throw full();
      return await storage.append(path, streamOf(bytes), call);
    },
  };
}
