import { randomUUID } from "node:crypto";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { state } from "@aws-sdk/core";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { openReleaseRegistry } from "../../src/agent/registries/index.ts";
import type { AuditRecord } from "../../src/agent/release.ts";
import { collect } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { objectStoreContract } from "../../src/objects/object-store.contract.ts";
import { openS3Store } from "../../src/objects/s3.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { describeWith } from "../component.ts";
import { type Ceph, cephStartMs, startCeph } from "./ceph.ts";

describeWith(
  "radosgw",
  "ceph-mon",
  "ceph-osd",
)("S3, as Ceph speaks it", () => {
  let ceph: Ceph;
  let client: S3Client;
  beforeAll(async () => {
    ceph = await startCeph();
    state.warningEmitted = true; // about Node 20
    client = new S3Client({
      region: "default",
      endpoint: ceph.endpoint.href,
      forcePathStyle: true,
      credentials: { accessKeyId: ceph.accessKey, secretAccessKey: ceph.secretKey },
      requestChecksumCalculation: "WHEN_REQUIRED",
    });
  }, cephStartMs);
  afterAll(async () => {
    client?.destroy();
    await ceph?.stop();
  });

  objectStoreContract("Ceph's gateway", async () => {
    const bucket = await newBucket();
    const place = { region: "default", bucket, endpoint: ceph.endpoint };
    const store = openS3Store({ ...place, ...parts() });
    return { store, put: (key, content, digest) => put(bucket, key, content, digest) };
  });

  it("announces a release, and hands it out from where it broke off", async ({ signal }) => {
    const bucket = await newBucket();
    const digest = digestOf("0123456789");
    await put(bucket, "team/app/v1.0.0/app.tar.gz", "0123456789", digest);
    await put(bucket, "team/app/v1.0.0/shipped_to_host.txt", "");
    await put(bucket, "team/app/v1.1.0-rc.1/app.tar.gz", "new");
    const registry = await follow(`s3://default/${bucket}/team/app`);

    const tags = await registry.tags({ signal });
    const release = await registry.release("v1.0.0", { signal });

    expect([...tags].sort()).toEqual(["v1.0.0", "v1.1.0-rc.1"]);
    expect(release?.artifacts).toMatchObject([{ name: "app.tar.gz", sizeBytes: 10, digest }]);
    expect(Date.now() - Number(release?.publishedAt)).toBeLessThan(600_000);
    const [artifact] = release?.artifacts ?? [];
    if (!artifact) throw new Error("there is no artifact");
    const { bytes, from } = await registry.open(artifact, { signal, from: 4 });
    expect([from, (await collect(bytes, 100)).toString()]).toEqual([4, "456789"]);
  });

  it("keeps record of a deployment, and finds it again", async ({ signal }) => {
    const bucket = await newBucket();
    await put(bucket, "team/app/v1.0.0/app.tar.gz", "0123456789");
    const registry = await follow(`s3://default/${bucket}/team/app`);
    const at = new Date("2026-01-02T03:04:05.678Z");
    const report = { tag: "v1.0.0", identity: "1", command: "server", at } as const;

    await registry.report?.({ ...report, host: "Web-1", error: undefined }, { signal });
    await registry.report?.({ ...report, host: "web-2", error: "it broke" }, { signal });

    const records: AuditRecord[] = [];
    for await (const record of registry.audits?.({ signal }) ?? []) records.push(record);
    expect(records).toEqual([{ host: "web-1", command: "server", tag: "v1.0.0", at }]);
    const release = await registry.release("v1.0.0", { signal });
    expect(release?.artifacts).toMatchObject([{ name: "app.tar.gz" }]);
  });

  it.each([
    ["another secret key", { AWS_SECRET_ACCESS_KEY: "wr0ng" }, "does not accept the credentials"],
    ["another access key", { AWS_ACCESS_KEY_ID: "WR0NG" }, "does not accept the credentials"],
  ])("says that it is refused with %s", async (_what, wrong, message) => {
    const registry = await follow(`s3://default/${await newBucket()}`, wrong);

    const error = await registry.tags({ signal: AbortSignal.timeout(10_000) }).catch((e) => e);

    expect(error).toMatchObject({ name: "ReleaseRegistryError", code: "UNAUTHORIZED" });
    expect(error.message).toContain(message);
    expect(error.message + error.hint).not.toMatch(/wr0ng/i);
  });

  it("says that there is no such bucket", async ({ signal }) => {
    const registry = await follow("s3://default/nowhere-to-be-found/app");

    await expect(registry.tags({ signal })).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringContaining("there is no bucket nowhere-to-be-found"),
    });
  });

  async function newBucket(): Promise<string> {
    const name = `dewy-${randomUUID()}`;
    await client.send(new CreateBucketCommand({ Bucket: name }));
    return name;
  }

  async function put(Bucket: string, Key: string, Body: string, digest?: Digest): Promise<void> {
    const Metadata = digest ? { sha256: digest.slice("sha256:".length) } : {};
    await client.send(new PutObjectCommand({ Bucket, Key, Body: Buffer.from(Body), Metadata }));
  }

  function parts(changed: Record<string, string> = {}) {
    const http = openHttpClient({ userAgent: "dewy/test" });
    onTestFinished(() => http.close());
    const environment = {
      AWS_ACCESS_KEY_ID: ceph.accessKey,
      AWS_SECRET_ACCESS_KEY: ceph.secretKey,
      AWS_ENDPOINT_URL: ceph.endpoint.href,
      ...changed,
    };
    return { http, clock: systemClock, environment };
  }

  async function follow(url: string, changed: Record<string, string> = {}) {
    return (await openReleaseRegistry(url, parts(changed))).registry;
  }
});
