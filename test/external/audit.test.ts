import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { openReleaseRegistry } from "../../src/agent/registries/index.ts";
import type { AuditRecord } from "../../src/agent/release.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { openOciClient } from "../../src/oci/client.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { pushRelease } from "../../src/oci/push-release.ts";
import { openHere } from "../../src/registry/served-registry.fake.ts";
import { describeWith } from "../component.ts";
import { startDockerRegistry } from "./docker-registry.ts";
import { temporaryDirectory } from "./program.ts";

describeWith("docker-registry")("the record of a deployment in Distribution's registry", () => {
  it("is kept under the tag of what was deployed, with those of other hosts", async ({
    signal,
  }) => {
    const port = await freePort();
    await startDockerRegistry(await temporaryDirectory("data"), port);

    await checkRecords(`127.0.0.1:${port}`, signal);
  });
});

describe("the record of a deployment in our registry", () => {
  it("is in the list of what refers to the release", async ({ signal }) => {
    const { address } = await openHere();
    const host = new URL(address).host;

    const { repository, digest } = await checkRecords(host, signal);

    const answer = await fetch(`http://${host}/v2/${repository}/referrers/${digest}`);
    const { manifests } = (await answer.json()) as { manifests: object[] };
    expect(manifests).toHaveLength(3);
    const tags = await (await fetch(`http://${host}/v2/${repository}/tags/list`)).json();
    expect(tags).toMatchObject({ tags: ["v1.0.0_blue"] });
  });
});

/** Three hosts report at once, and a fourth reads. */
async function checkRecords(host: string, signal: AbortSignal) {
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const repository = "acme/app";
  const path = join(await temporaryDirectory("release"), "app.tar.gz");
  await writeFile(path, "content");
  const credentials = async () => undefined;
  const client = openOciClient({ host, credentials, http, clock: systemClock });
  const files = [{ path, name: "app.tar.gz", platform: { os: "linux", architecture: "amd64" } }];
  const release = { repository, tag: "v1.0.0+blue", files, created: new Date() };
  const { digest } = await pushRelease(client, release, {}, { signal });
  const follow = async (query = "") => {
    const parts = { http, clock: systemClock, environment: {}, credentials };
    return (await openReleaseRegistry(`img://${host}/${repository}${query}`, parts)).registry;
  };
  const at = new Date("2026-01-02T03:04:05.678Z");
  const report = { tag: "v1.0.0+blue", identity: digestOf("content"), command: "server" } as const;
  const hosts = ["web-1", "web-2", "web-3"];

  await Promise.all(
    hosts.map(async (name) => {
      const registry = await follow("?audit=true");
      await registry.release("v1.0.0+blue", { signal });
      await registry.report?.({ ...report, host: name, at, error: undefined }, { signal });
    }),
  );

  const reader = await follow();
  const found: AuditRecord[] = [];
  for await (const record of reader.audits?.({ signal }) ?? []) found.push(record);
  expect(found.sort((one, other) => one.host.localeCompare(other.host))).toEqual(
    hosts.map((name) => ({ host: name, command: "server", tag: "v1.0.0+blue", at })),
  );
  expect(await reader.tags({ signal })).toEqual(["v1.0.0+blue"]);
  return { repository, digest };
}
