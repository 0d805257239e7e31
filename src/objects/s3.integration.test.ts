import type { ServerResponse } from "node:http";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { streamOf } from "../base/bytes.ts";
import { FakeClock } from "../base/clock.fake.ts";
import { openHttpClient } from "../base/http-client.ts";
import { serve } from "../base/local-server.fake.ts";
import { digestOf, hexOf } from "../oci/digest.ts";
import { objectStoreContract } from "./object-store.contract.ts";
import { type FakeS3, serveFakeS3 } from "./s3.fake.ts";
import { openS3Store } from "./s3.ts";

/** Of the whole file, as the SDK warns once in a process. */
const warnings: string[] = [];
process.on("warning", ({ message }) => warnings.push(message));

objectStoreContract("S3", async () => {
  const fake = await serveFakeS3();
  return { store: open(fake), put: fake.bucket.put };
});

describe("S3", () => {
  it("asks Amazon in virtual-host style", async () => {
    const asked: string[] = [];
    const http = {
      async request({ url }: { url: string | URL }): Promise<never> {
        asked.push(String(url));
        throw new Error("nowhere");
      },
      close() {},
    };
    const environment = { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" };
    const place = { region: "eu-west-1", bucket: "releases", endpoint: undefined };
    const store = openS3Store({ ...place, environment, http, clock: new FakeClock() });

    await expect(first(store.list("app/", calm()))).rejects.toThrow();

    expect(asked).toEqual([
      "https://releases.s3.eu-west-1.amazonaws.com/?list-type=2&prefix=app%2F&delimiter=%2F",
    ]);
  });

  it.each([
    [
      301,
      "PermanentRedirect",
      "NOT_FOUND",
      "not in the region eu-west-1",
      "s3://us-east-2/releases",
    ],
    [400, "ExpiredToken", "UNAUTHORIZED", "have expired", "sign in again"],
    [403, "RequestTimeTooSkewed", "UNAUTHORIZED", "clocks", "set the clock"],
    [403, "SignatureDoesNotMatch", "UNAUTHORIZED", "does not accept the credentials", "check them"],
    [403, "AccessDenied", "UNAUTHORIZED", "may not read the bucket releases", "s3:ListBucket"],
    [404, "NoSuchBucket", "NOT_FOUND", "there is no bucket releases", "check the bucket"],
    [503, "SlowDown", "RATE_LIMITED", "asked too often", "raise --interval"],
  ])("says of %i %s that it is %s", async (status, name, code, message, hint) => {
    const fake = await serveFakeS3();
    fake.refuse = { status, headers: { "x-amz-bucket-region": "us-east-2" }, code: name };

    await expect(first(open(fake).list("", calm()))).rejects.toMatchObject({
      name: "ObjectStoreError",
      code,
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
  });

  it("tells an answer that is not S3's from an empty listing", async () => {
    const fake = await serveFakeS3();
    fake.refuse = { status: 302, headers: { location: "http://login.test/" } };

    await expect(first(open(fake).list("", calm()))).rejects.toMatchObject({
      code: "INVALID_ANSWER",
    });
  });

  it.each([200, 403])("does not hold an answer of %i without end", async (status) => {
    const { environment } = await serveFakeS3();
    const { url: endpoint } = await serve((_request, response) => {
      response.writeHead(status);
      const page = Buffer.alloc(64 * 1024, " ");
      const more = () => {
        while (!response.destroyed && response.write(page)) {}
      };
      response.on("drain", more);
      more();
    });

    await expect(first(open({ endpoint, environment }).list("", calm()))).rejects.toMatchObject({
      name: "ObjectStoreError",
      code: "INVALID_ANSWER",
      message: "the answer is longer than any of S3's",
    });
  });

  it("lets go of bytes that it did not ask for", async () => {
    const { environment } = await serveFakeS3();
    let open206: ServerResponse | undefined;
    const { url: endpoint } = await serve(({ headers }, response) => {
      if (headers.range === undefined) return void response.end("whole");
      open206 = response.writeHead(206, { "content-range": "bytes 0-9/10" });
      response.write("0");
    });

    const range = { version: '"1"', from: 4 };
    const opened = await open({ endpoint, environment }).open("key", range, calm());

    expect(opened?.from).toBe(0);
    await vi.waitFor(() => expect(open206?.destroyed).toBe(true), 5000);
  });

  it.each(["known", "ignored", "bare"] as const)(
    "replaces only what it has seen, by a server to which conditions are %s",
    async (conditions) => {
      const fake = await serveFakeS3();
      fake.conditions = conditions;
      const store = open(fake);
      const first = await store.put("state", Buffer.from("one"), {}, calm());
      const seen = { ifVersion: first?.version };

      const second = await store.put("state", Buffer.from("two"), seen, calm());
      const third = await store.put("state", Buffer.from("three"), seen, calm());

      expect([second?.version, third]).toEqual(['"2"', undefined]);
      expect(`${fake.bucket.objects.get("state")?.content}`).toBe("two");
    },
  );

  it("refuses what is too large for one request before it is sent", async () => {
    const fake = await serveFakeS3();
    const content = { bytes: streamOf(Buffer.of()), sizeBytes: 5 * 1024 ** 3 + 1 };

    await expect(open(fake).put("large", content, {}, calm())).rejects.toMatchObject({
      name: "ObjectContentError",
      code: "TOO_LARGE",
    });
    expect(fake.requests).toEqual([]);
  });

  it("says which permissions it takes to write", async () => {
    const fake = await serveFakeS3();
    fake.refuse = { status: 403, headers: {}, code: "AccessDenied" };

    await expect(open(fake).put("key", Buffer.of(), {}, calm())).rejects.toMatchObject({
      code: "UNAUTHORIZED",
      message: expect.stringContaining("may not write the bucket releases"),
      hint: expect.stringContaining("s3:PutObject"),
    });
  });

  it("signs a stream whose digest is known, and says what it is", async () => {
    const fake = await serveFakeS3();
    const text = Buffer.from("content");
    const content = { bytes: streamOf(text), sizeBytes: 7, digest: digestOf(text) };

    await open(fake).put("key", content, { contentType: "text/plain" }, calm());

    const [{ headers } = { headers: {} }] = fake.taken;
    expect(headers).toMatchObject({
      "content-type": "text/plain",
      "x-amz-content-sha256": hexOf(digestOf(text)),
      "x-amz-meta-sha256": hexOf(digestOf(text)),
    });
  });

  it("stops when told to, whatever the SDK is waiting for", async () => {
    const fake = await serveFakeS3();
    const stop = new AbortController();
    const reason = new Error("told to stop");
    const request = () => {
      stop.abort(reason);
      return new Promise<never>(() => {});
    };
    const { endpoint, environment } = fake;
    const place = { region: "eu-west-1", bucket: "releases", endpoint, environment };
    const http = { request, close() {} };
    const store = openS3Store({ ...place, http, clock: new FakeClock() });

    await expect(first(store.list("", stop))).rejects.toBe(reason);
  });

  it("prints nothing about the version of Node", async () => {
    await first(open(await serveFakeS3()).list("", calm()));
    await new Promise((resolve) => setImmediate(resolve));

    expect(warnings.filter((text) => text.includes("AWS"))).toEqual([]);
  });
});

function open({ endpoint, environment }: Pick<FakeS3, "endpoint" | "environment">) {
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const clock = new FakeClock();
  return openS3Store({
    region: "eu-west-1",
    bucket: "releases",
    endpoint,
    environment,
    http,
    clock,
  });
}

const calm = () => ({ signal: AbortSignal.timeout(10_000) });

async function first<Entry>(entries: AsyncIterable<Entry>): Promise<Entry | undefined> {
  for await (const entry of entries) return entry;
  return undefined;
}
