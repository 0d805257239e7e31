import { describe, expect, it, onTestFinished } from "vitest";
import type { Call } from "../../base/call.ts";
import { FakeClock } from "../../base/clock.fake.ts";
import { type Clock, systemClock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { digestOf } from "../../oci/digest.ts";
import { type FakeOciRegistry, serveFakeOciRegistry } from "../../oci/oci.fake.ts";
import { buildRelease, type ReleasePlatform, tagFor } from "../../oci/release-artifact.ts";
import { choose } from "../choose/choose.ts";
import { rulesOf } from "../choose/rules.ts";
import type { AuditRecord, DeploymentReport, ReleaseRegistry } from "../release.ts";
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

it("polls a hundred times by HEAD and a list that has not changed, without a pull", async ({
  signal,
}) => {
  const fake = await serveFakeOciRegistry();
  fake.token = { expiresIn: 300 };
  push(fake, "v1.0.0", { app: "x" }, { os: "linux", architecture: "arm64" });
  const registry = await follow(fake, "", { environment: {} });
  const poll = async () => {
    for (const tag of await registry.tags({ signal })) await registry.release(tag, { signal });
  };
  await poll();
  fake.requests.length = 0;

  for (let count = 0; count < 100; count++) await poll();

  expect(new Set(fake.requests)).toEqual(
    new Set(["GET /v2/acme/app/tags/list 304", "HEAD /v2/acme/app/manifests/v1.0.0 200"]),
  );
  expect(fake.requests.length).toBe(200);
});

it("keeps slots apart by the _ that stands for +", async ({ signal }) => {
  const fake = await serveFakeOciRegistry();
  for (const version of ["v1.0.1+blue", "v1.1.0+green", "v1.2.0"])
    push(fake, version, { app: "x" });
  const registry = await follow(fake);
  const host = { platform: { os: "linux", architecture: "arm64" } };
  const parts = {
    clock: new FakeClock(created),
    logger: new FakeLogger(),
    warned: new Set<string>(),
  };
  const chosen = async (slot: string) => {
    const rules = await rulesOf({ preRelease: false, artifact: undefined }, { slot }, host);
    return (await choose(registry, rules, parts, { signal }))?.tag;
  };

  expect(fake.manifests.has("acme/app:v1.0.1_blue")).toBe(true);
  expect(await chosen("blue")).toBe("v1.0.1+blue");
  expect(await chosen("green")).toBe("v1.1.0+green");
});

describe("the record of a deployment in an image registry", () => {
  it.each([true, false])("is found again where lists of referrers are known: %s", async (known) => {
    const call = { signal: AbortSignal.timeout(10_000) };
    const fake = await serveFakeOciRegistry();
    fake.listsReferrers = known;
    const platform = { os: "linux", architecture: "arm64" };
    push(fake, "v1.0.0+blue", { "app.tar.gz": "1" }, platform);
    push(fake, "v0.9.0", { "app.tar.gz": "0" });
    const registry = await follow(fake, "?audit=true", { clock: systemClock });
    const reports = ["web-1", "web-2"].map((host) => reportOf("v1.0.0+blue", host));
    await registry.release("v1.0.0+blue", call);

    for (const report of reports) await registry.report?.(report, call);

    expect(await auditsOf(await follow(fake), call)).toEqual(
      ["web-1", "web-2"].map((host) => ({ host, command: "server", tag: "v1.0.0+blue", at })),
    );
    expect(await registry.tags(call)).toEqual(["v0.9.0", "v1.0.0+blue"]);
  });

  it("is of the manifest that was announced, wherever the tag has gone", async ({ signal }) => {
    const fake = await serveFakeOciRegistry();
    push(fake, "v1.0.0", { "app.tar.gz": "one" }, { os: "linux", architecture: "arm64" });
    const first = digestOf(fake.manifests.get("acme/app:v1.0.0")?.bytes ?? "");
    const registry = await follow(fake, "?audit=true");
    await registry.release("v1.0.0", { signal });
    push(fake, "v1.0.0", { "app.tar.gz": "two" });

    await registry.report?.(reportOf("v1.0.0", "web-1"), { signal });

    const subjects = [...fake.manifests.values()].flatMap(({ bytes }) => {
      const { subject } = JSON.parse(bytes.toString());
      return subject === undefined ? [] : [subject];
    });
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const { bytes } = fake.manifests.get(`acme/app@${first}`) ?? {};
    expect(subjects).toEqual([{ mediaType, digest: first, size: bytes?.length }]);
  });

  it("is left only where that was asked for", async () => {
    const fake = await serveFakeOciRegistry();

    expect((await follow(fake)).report).toBeUndefined();
    expect((await follow(fake, "?audit=true")).report).toBeDefined();
  });

  it("is left twenty times by a host, and no more", async ({ signal }) => {
    const fake = await serveFakeOciRegistry();
    push(fake, "v1.0.0", { "app.tar.gz": "one" });
    const registry = await follow(fake, "?audit=true");
    await registry.release("v1.0.0", { signal });

    for (let minute = 0; minute < 22; minute++) {
      const report = { ...reportOf("v1.0.0", "web-1"), at: new Date(+at + minute * 60_000) };
      await registry.report?.(report, { signal });
    }

    expect(await auditsOf(registry, { signal })).toHaveLength(20);
  });
});

const at = new Date("2026-01-02T03:04:05.678Z");

function reportOf(tag: string, host: string): DeploymentReport {
  return { tag, identity: "one", command: "server", host, at, error: undefined };
}

async function auditsOf(registry: ReleaseRegistry, call: Call): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  for await (const record of registry.audits?.(call) ?? []) records.push(record);
  return records.sort((one, other) => one.host.localeCompare(other.host));
}

async function follow(
  fake: FakeOciRegistry,
  query = "",
  changed: { environment?: Environment; clock?: Clock } = {},
) {
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const environment = { DOCKER_USERNAME: "u", DOCKER_PASSWORD: "s3cret" };
  const parts = { http, clock: new FakeClock(created), environment, ...changed };
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
