import { describe, expect, it, onTestFinished } from "vitest";
import { collect } from "../../base/bytes.ts";
import { FakeClock } from "../../base/clock.fake.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { serveFakeGcs } from "../../objects/gcs.fake.ts";
import type { MemoryBucket } from "../../objects/memory.fake.ts";
import { serveFakeS3 } from "../../objects/s3.fake.ts";
import { digestOf } from "../../oci/digest.ts";
import type { AuditRecord, ReleaseRegistry } from "../release.ts";
import { releaseRegistryContract } from "../release-registry.contract.ts";
import { openReleaseRegistry } from "./index.ts";

const setting = { s3: followS3, gs: followGcs };

for (const scheme of ["s3", "gs"] as const) {
  releaseRegistryContract(`${scheme}://`, async () => {
    const { registry, fake, another } = await setting[scheme]();
    return {
      registry,
      another,
      publish: (tag, files) => publish(fake.bucket, tag, files),
      refuse(status, headers = {}) {
        const given = Object.entries(headers).filter(([, value]) => value !== "");
        fake.refuse = { status, headers: Object.fromEntries(given) };
      },
      countedRequests: () => fake.requests.filter((line) => !isListing(line)).length,
      secret: "s3cret",
    };
  });
}

describe.each(["s3", "gs"] as const)("%s://", (scheme) => {
  it("asks for two listings in an idle poll, however much there is", async ({ signal }) => {
    const { registry, fake } = await setting[scheme]();
    fake.pageSize = 1000;
    for (let minor = 0; minor < 50; minor++) publish(fake.bucket, `v1.${minor}.0`, { app: "1" });
    await poll(registry, signal);
    fake.requests.length = 0;

    await poll(registry, signal);

    expect(fake.requests.map(isListing)).toEqual([true, true]);
  });

  it("takes no audit record and no directory for an artifact", async ({ signal }) => {
    const { registry, fake } = await setting[scheme]();
    publish(fake.bucket, "v1.49.0", { "app.zip": "1", "deep/other.zip": "2", "": "" });
    publish(fake.bucket, "v1.49.0", { "shipped_to_host_server_at_20260101T000000.1Z.txt": "" });

    const { artifacts } = await poll(registry, signal);

    expect(artifacts.map(({ name }) => name)).toEqual(["app.zip"]);
  });

  it("takes the digest that was left with the object as its identity", async ({ signal }) => {
    const { registry, fake } = await setting[scheme]();
    const digest = digestOf("content");
    fake.bucket.put("app/v1.49.0/app.zip", "content", digest);

    const { artifacts } = await poll(registry, signal);

    expect(artifacts).toMatchObject([{ digest, identity: digest }]);
  });

  it("hands out nothing of a file that was replaced", async ({ signal }) => {
    const { registry, fake } = await setting[scheme]();
    publish(fake.bucket, "v1.49.0", { "app.zip": "one" });
    const [artifact] = (await poll(registry, signal)).artifacts;
    if (!artifact) throw new Error("there is no artifact");

    publish(fake.bucket, "v1.49.0", { "app.zip": "two" });

    await expect(registry.open(artifact, { signal, from: 0 })).rejects.toMatchObject({
      code: "NOT_FOUND",
      hint: expect.stringContaining("next poll"),
    });
  });

  it("leaves the record of a deployment beside the files, and no more than twenty of a host", async ({
    signal,
  }) => {
    const { registry, fake } = await setting[scheme]();
    publish(fake.bucket, "v1.49.0", { "app.zip": "1" });
    const report = { tag: "v1.49.0", identity: "1", command: "server", host: "web-1" } as const;

    for (let day = 1; day <= 22; day++) {
      const at = new Date(Date.UTC(2026, 0, day));
      await registry.report?.({ ...report, at, error: undefined }, { signal });
    }

    const names = [...fake.bucket.objects.keys()].filter((key) => key.includes("shipped_to_web-1"));
    expect(names).toHaveLength(20);
    const last = names.find((name) => name.includes("_at_20260122T000000.000")) ?? "";
    expect(`${fake.bucket.objects.get(last)?.content}`).toMatch(
      /^shipped to web-1 server at 20260122T000000\.000\d{6}Z$/,
    );
  });

  it("finds the records that the original has left, and takes nothing else for one", async ({
    signal,
  }) => {
    const { registry, fake } = await setting[scheme]();
    publish(fake.bucket, "v1.9.0", {
      "shipped_to_old_server_at_20240101T000000.123456789Z.txt": "",
      "app.zip": "1",
    });
    publish(fake.bucket, "v1.10.0", {
      "shipped_to_old_assets_at_20240102T000000Z.txt": "",
      "shipped_to_whom.txt": "",
    });

    const records: AuditRecord[] = [];
    for await (const record of registry.audits?.({ signal }) ?? []) records.push(record);

    expect(records).toEqual([
      { host: "old", command: "assets", tag: "v1.10.0", at: new Date("2024-01-02T00:00:00Z") },
      { host: "old", command: "server", tag: "v1.9.0", at: new Date("2024-01-01T00:00:00.123Z") },
    ]);
  });

  it("says once what it takes to leave a record", async ({ signal }) => {
    const { registry, fake } = await setting[scheme]();
    fake.refuse = { status: 403, headers: {} };
    const at = new Date();
    const place = { tag: "v1.49.0", identity: "1", command: "server", host: "web-1", at } as const;
    const report = { ...place, error: undefined };

    await expect(registry.report?.(report, { signal })).rejects.toMatchObject({
      name: "ReleaseRegistryError",
      code: "UNAUTHORIZED",
      message: expect.stringContaining(registry.name),
    });
    await expect(registry.report?.(report, { signal })).resolves.toBeUndefined();
  });

  it("says in one line that nothing listens there", async ({ signal }) => {
    const { registry, stop } = await setting[scheme]();
    await stop();

    await expect(registry.tags({ signal })).rejects.toMatchObject({
      name: "ReleaseRegistryError",
      code: "UNAVAILABLE",
      message: expect.stringContaining("nothing listens there"),
    });
  });

  it("fetches a release whole", async ({ signal }) => {
    const { registry, fake } = await setting[scheme]();
    const content = "0123456789".repeat(100_000);
    publish(fake.bucket, "v1.49.0", { "app.zip": content });
    const [artifact] = (await poll(registry, signal)).artifacts;
    if (!artifact) throw new Error("there is no artifact");

    const { bytes } = await registry.open(artifact, { signal, from: 0 });

    expect(digestOf(await collect(bytes, 2e6))).toBe(digestOf(content));
  });
});

async function poll(registry: ReleaseRegistry, signal: AbortSignal) {
  await registry.tags({ signal });
  const release = await registry.release("v1.49.0", { signal });
  if (!release) throw new Error("there is no release");
  return release;
}

function publish(bucket: MemoryBucket, tag: string, files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files)) bucket.put(`app/${tag}/${name}`, content);
}

const isListing = (line: string): boolean => line.includes("delimiter=%2F");

async function followS3() {
  const fake = await serveFakeS3();
  const { environment, endpoint } = fake;
  const { http, clock } = parts();
  const url = `s3://eu-west-1/releases/app?endpoint=${encodeURIComponent(endpoint.href)}`;
  const another = async () =>
    (await openReleaseRegistry(url, { http, clock, environment })).registry;
  return { fake, registry: await another(), another, stop: fake.stop };
}

async function followGcs() {
  const fake = await serveFakeGcs();
  const { environment } = fake;
  const { http, clock } = parts();
  const opened = { http: fake.redirected(http), clock, environment };
  const another = async () => (await openReleaseRegistry("gs://releases/app", opened)).registry;
  return { fake, registry: await another(), another, stop: fake.stop };
}

function parts() {
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  return { http, clock: new FakeClock(new Date("2026-01-01T00:00:00Z")) };
}
