import { randomUUID } from "node:crypto";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { state } from "@aws-sdk/core";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { artifactCacheContract, cacheContract } from "../../src/agent/cache.contract.ts";
import { openObjectCache } from "../../src/agent/caches/objects.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { openS3Store } from "../../src/objects/s3.ts";
import { describeWith } from "../component.ts";
import { type Ceph, cephStartMs, startCeph } from "./ceph.ts";

describeWith(
  "radosgw",
  "ceph-mon",
  "ceph-osd",
)("caches in S3, as Ceph speaks it", () => {
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
    });
  }, cephStartMs);
  afterAll(async () => {
    client?.destroy();
    await ceph?.stop();
  });

  cacheContract("Ceph's gateway", async () => {
    const bucket = await newBucket();
    return async () => open(bucket, 1024 ** 3);
  });

  artifactCacheContract("Ceph's gateway", async () => {
    const bucket = await newBucket();
    return async (maximumBytes) => open(bucket, maximumBytes);
  });

  async function newBucket(): Promise<string> {
    const name = `dewy-${randomUUID()}`;
    await client.send(new CreateBucketCommand({ Bucket: name }));
    return name;
  }

  function open(bucket: string, maximumBytes: number) {
    const http = openHttpClient({ userAgent: "dewy/test" });
    onTestFinished(() => http.close());
    const environment = {
      AWS_ACCESS_KEY_ID: ceph.accessKey,
      AWS_SECRET_ACCESS_KEY: ceph.secretKey,
    };
    const parts = { environment, http, clock: systemClock };
    const store = openS3Store({ region: "default", bucket, endpoint: ceph.endpoint, ...parts });
    return openObjectCache({ name: "s3://default/b", store, prefix: "dewy/", maximumBytes });
  }
});
