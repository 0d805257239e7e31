import { expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { digestOf } from "../../oci/digest.ts";
import { type FakeOciRegistry, serveFakeOciRegistry } from "../../oci/oci.fake.ts";
import { buildRelease, type ReleasePlatform, tagFor } from "../../oci/release-artifact.ts";
import { releaseRegistryContract } from "../release-registry.contract.ts";
import { openReleaseRegistry } from "./index.ts";

const created = new Date("2026-01-01T00:00:00Z");

releaseRegistryContract("img://", async () => {
  const fake = await serveFakeOciRegistry();
  fake.token = { user: "u", password: "s3cret", expiresIn: 300 };
  return {
    registry: await follow(fake, "?audit=true"),
    another: () => follow(fake),
    publish: (tag, files) => push(fake, tag, files),
    refuse(status, headers = {}) {
      fake.refuse = { status, headers };
    },
    // HEAD requests, and lists that have not changed, are no pulls.
    countedRequests: () => fake.requests.filter((line) => /^GET .*manifests/.test(line)).length,
    secret: "s3cret",
  };
});

it("reads an index, and says which platform a file is for", async ({ signal }) => {
  const fake = await serveFakeOciRegistry();
  push(fake, "v1.2.3+blue", { app: "linux" }, { os: "linux", architecture: "arm64" });
  const registry = await follow(fake);

  expect(await registry.tags({ signal })).toEqual(["v1.2.3+blue"]);
  expect(await registry.release("v1.2.3+blue", { signal })).toMatchObject({
    tag: "v1.2.3+blue",
    artifacts: [{ name: "app", platform: { os: "linux", architecture: "arm64" } }],
  });
});

it("reads what oras pushed, and takes layers without a name for no files", async ({ signal }) => {
  const fake = await serveFakeOciRegistry();
  const layer = { mediaType: "application/gzip", digest: digestOf("x"), size: 1 };
  fake.tag("acme/app", "v1.0.0", {
    schemaVersion: 2,
    artifactType: "application/vnd.unknown.artifact.v1",
    config: layer,
    layers: [
      layer,
      { ...layer, annotations: { "org.opencontainers.image.title": "dist/app.tgz" } },
      { ...layer, annotations: { "org.opencontainers.image.title": ".." } },
    ],
  });
  const registry = await follow(fake);

  const release = await registry.release("v1.0.0", { signal });

  expect(release?.publishedAt).toBeUndefined();
  expect(release?.artifacts).toMatchObject([{ name: "app.tgz", digest: digestOf("x") }]);
});

it("reads each manifest once", async ({ signal }) => {
  const fake = await serveFakeOciRegistry();
  push(fake, "v1.0.0", { app: "x" }, { os: "linux", architecture: "arm64" });
  const registry = await follow(fake);

  for (let poll = 0; poll < 3; poll++) await registry.release("v1.0.0", { signal });

  expect(fake.requests.map((line) => line.slice(0, 4))).toEqual([
    "HEAD",
    "GET ",
    "GET ",
    "HEAD",
    "HEAD",
  ]);
});

async function follow(fake: FakeOciRegistry, query = "") {
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const environment = { DOCKER_USERNAME: "u", DOCKER_PASSWORD: "s3cret" };
  const parts = { http, clock: new FakeClock(created), environment };
  return (await openReleaseRegistry(`img://${fake.host}/acme/app${query}`, parts)).registry;
}

function push(
  fake: FakeOciRegistry,
  version: string,
  contents: Readonly<Record<string, string>>,
  platform?: ReleasePlatform,
): void {
  const files = Object.entries(contents).map(([name, content]) => {
    const digest = digestOf(content);
    fake.blobs.set(digest, Buffer.from(content));
    return { name, platform, digest, sizeBytes: content.length };
  });
  const { children, top } = buildRelease(files, { version, created });
  for (const child of children) fake.manifests.set(`acme/app@${child.digest}`, child);
  fake.manifests.set(`acme/app@${top.digest}`, top);
  fake.manifests.set(`acme/app:${tagFor(version)}`, top);
}
