import { expect, it, onTestFinished } from "vitest";
import { streamOf } from "../../base/bytes.ts";
import { FakeClock } from "../../base/clock.fake.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { serveFakeGcs } from "../../objects/gcs.fake.ts";
import { openGcsStore } from "../../objects/gcs.ts";
import { openMemoryBucket, openMemoryStore } from "../../objects/memory.fake.ts";
import type { ObjectStore, StoredObject } from "../../objects/object-store.ts";
import { serveFakeS3 } from "../../objects/s3.fake.ts";
import { openS3Store } from "../../objects/s3.ts";
import { digestOf } from "../../oci/digest.ts";
import { artifactCacheContract, cacheContract } from "../cache.contract.ts";
import { openObjectCache } from "./objects.ts";

const place = { prefix: "team/dewy/", maximumBytes: 1024 ** 3 };

cacheContract("S3", async () => {
  const fake = await serveFakeS3();
  return async () => openObjectCache({ ...place, name: "s3://x", store: s3Of(fake) });
});

cacheContract("Cloud Storage", async () => {
  const fake = await serveFakeGcs();
  return async () => openObjectCache({ ...place, name: "gs://x", store: gcsOf(fake) });
});

artifactCacheContract("A bucket", async () => {
  const store = openTimedStore();
  return async (maximumBytes) =>
    openObjectCache({ ...place, name: "memory bucket", store, maximumBytes });
});

it("tells ages by the store's clock, which may be wrong by days", async ({ signal }) => {
  const store = openTimedStore(() => Date.now() - 86_400_000 * 3);
  const writer = openObjectCache({ ...place, name: "one", store });
  await writer.write("k", Buffer.from("x"), { ifVersion: "any" }, { signal });
  const reader = openObjectCache({ ...place, name: "other", store });

  const entry = await reader.read("k", { signal });

  expect(entry?.ageMs).toBeLessThan(5_000);
});

it("knows at once how old an entry is that was written before it was opened", async ({
  signal,
}) => {
  let nowMs = Date.now() - 60_000;
  const store = openTimedStore(() => nowMs);
  const writer = openObjectCache({ ...place, name: "one", store });
  await writer.write("k", Buffer.from("x"), { ifVersion: "any" }, { signal });
  nowMs += 60_000;
  const reader = openObjectCache({ ...place, name: "other", store });

  const entry = await reader.read("k", { signal });

  expect(entry?.ageMs).toBeGreaterThanOrEqual(60_000);
});

it("asks for the head alone while nothing has changed", async ({ signal }) => {
  const fake = await serveFakeS3();
  const cache = openObjectCache({ ...place, name: "s3://x", store: s3Of(fake) });
  await cache.write("k", Buffer.from("x"), { ifVersion: "any" }, { signal });
  await cache.read("k", { signal });
  fake.requests.length = 0;

  const entry = await cache.read("k", { signal });

  expect(entry?.value.toString()).toBe("x");
  expect(fake.requests.map((request) => request.split(" ")[0])).toEqual(["HEAD"]);
});

it("gives the same bytes another version each time they are written", async ({ signal }) => {
  const fake = await serveFakeS3();
  const cache = openObjectCache({ ...place, name: "s3://x", store: s3Of(fake) });
  const contents: (string | undefined)[] = [];
  for (let time = 0; time < 2; time++) {
    await cache.write("k", Buffer.from("x"), { ifVersion: "any" }, { signal });
    const object = fake.bucket.objects.get("team/dewy/entries/k");
    contents.push(object?.content.toString("hex"));
  }

  expect(new Set(contents).size).toBe(2); // S3's version is their hash
});

it("says that the bucket refuses it", async ({ signal }) => {
  const fake = await serveFakeS3();
  fake.refuse = { status: 403, headers: {}, code: "AccessDenied" };
  const cache = openObjectCache({ ...place, name: "s3://eu-west-1/x", store: s3Of(fake) });

  await expect(cache.read("k", { signal })).rejects.toMatchObject({
    name: "CacheError",
    code: "UNAUTHORIZED",
    message: expect.stringContaining("s3://eu-west-1/x: "),
  });
});

it("removes entries of registries that nobody has followed for a month", async ({ signal }) => {
  let nowMs = Date.now() - 40 * 86_400_000;
  const bucket = openMemoryBucket();
  const store = openTimedStore(() => nowMs, bucket);
  const cache = openObjectCache({ ...place, name: "bucket", store });
  await cache.write("old", Buffer.from("x"), { ifVersion: "any" }, { signal });
  nowMs = Date.now();
  const later = openObjectCache({ ...place, name: "bucket", store });
  await later.write("new", Buffer.from("x"), { ifVersion: "any" }, { signal });
  const content = Buffer.from("content");

  const artifact = { digest: digestOf(content), sizeBytes: content.length };
  await later.artifacts?.put(artifact, streamOf(content), { signal });

  const keys = [...bucket.objects.keys()].filter((key) => key.includes("/entries/"));
  expect(keys).toEqual(["team/dewy/entries/new"]);
});

function s3Of({ endpoint, environment }: Awaited<ReturnType<typeof serveFakeS3>>): ObjectStore {
  const where = { region: "eu-west-1", bucket: "releases", endpoint };
  return openS3Store({ ...where, environment, ...parts() });
}

function gcsOf(fake: Awaited<ReturnType<typeof serveFakeGcs>>): ObjectStore {
  const { http, clock } = parts();
  const { environment } = fake;
  return openGcsStore({ bucket: "releases", environment, http: fake.redirected(http), clock });
}

function parts() {
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  return { http, clock: new FakeClock(new Date()) };
}

/** A bucket whose objects have the times that `nowMs` says. */
function openTimedStore(nowMs = () => Date.now(), bucket = openMemoryBucket()): ObjectStore {
  const store = openMemoryStore(bucket);
  const times = new Map<string, Date>();
  const timed = (object: StoredObject) => ({
    ...object,
    modifiedAt: times.get(object.key) ?? object.modifiedAt,
  });
  return {
    ...store,
    async stat(key, call) {
      const object = await store.stat(key, call);
      return object && timed(object);
    },
    async *list(prefix, call) {
      for await (const entry of store.list(prefix, call))
        yield "key" in entry ? timed(entry) : entry;
    },
    async put(key, ...rest) {
      const written = await store.put(key, ...rest);
      if (written) times.set(key, new Date(nowMs()));
      return written;
    },
  };
}
