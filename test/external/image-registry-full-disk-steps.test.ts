import { randomBytes } from "node:crypto";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, expect, it, onTestFinished, vi } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { serve } from "../../src/base/local-server.fake.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { digestOf, hexOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/manifest.ts";
import { parseRegistryConfig } from "../../src/registry/config.ts";
import { openRegistry } from "../../src/registry/registry.ts";
import { run, temporaryDirectory } from "./program.ts";
import { program, serveRegistry } from "./served-registry.ts";
import { describeOnSmallDisk, fill, fillWithNames } from "./small-disk.ts";
import { walkStorage } from "./storage-walk.ts";

const layer = randomBytes(1024 ** 2);
const other = randomBytes(1024 ** 2);
const soon = { timeout: 15_000 };

describeOnSmallDisk("the image registry on a disk that others fill", (place) => {
  let disk = "";
  beforeEach(() => {
    disk = place();
  });

  it("refuses each step of a push, and takes each again as soon as there is room", async () => {
    const { address } = await serveRegistry(disk);
    const repository = `${address}/v2/a`;
    const manifest = manifestOf(layer);
    await pushImage(repository, layer, "v1");
    const begun = await sent("POST", `${repository}/blobs/uploads/`, 202);
    const upload = begun.headers.get("location") ?? "";
    await sent("PATCH", upload, 202, other);
    const steps: [string, string, Buffer?][] = [
      ["POST", `${repository}/blobs/uploads/`],
      ["POST", `${repository}/blobs/uploads/?digest=${digestOf(other)}`, other],
      ["POST", `${address}/v2/new/blobs/uploads/?mount=${digestOf(layer)}&from=a`],
      ["PUT", `${repository}/manifests/v2`, manifest],
      ["PUT", `${repository}/manifests/v3`, Buffer.from(`${manifest}\n`)],
      ["PATCH", upload, other],
    ];
    const empty = await fill(disk);

    for (const [method, url, body] of steps) {
      const answer = await asked(method, url, body);
      expect([507, 503], `${method} ${url}: ${answer.body}`).toContain(answer.status);
      expect(JSON.parse(`${answer.body}`).errors[0].code).toBe("UNAVAILABLE");
    }
    await sent("GET", `${repository}/manifests/v1`, 200);
    expect((await sent("GET", `${repository}/blobs/${digestOf(layer)}`, 200)).body).toHaveLength(
      layer.length,
    );

    await empty();
    await sent("PATCH", upload, 202, layer);
    const whole = Buffer.concat([other, layer]);
    await sent("PUT", `${upload}&digest=${digestOf(whole)}`, 201);
    for (const [method, url, body] of steps.slice(0, -1)) {
      expect((await asked(method, url, body)).status, url).toBeLessThan(300);
    }
    expect((await walkStorage(disk)).faults).toEqual([]);
  });

  it("deletes and collects without any room, which makes some", async () => {
    const { address } = await serveRegistry(disk);
    const repository = `${address}/v2/a`;
    for (const [tag, bytes] of [
      ["v1", layer],
      ["v2", other],
    ] as const) {
      await pushImage(repository, bytes, tag);
    }
    const config = await collectorConfig(disk);
    await fill(disk);

    await sent("DELETE", `${repository}/manifests/v1`, 202);
    await sent("DELETE", `${repository}/manifests/${digestOf(manifestOf(layer))}`, 202);
    await sent("DELETE", `${repository}/blobs/${digestOf(layer)}`, 202);
    const collect = [program, "registry", "garbage-collect", "--quiet", config];
    await run(process.execPath, collect);
    await run(process.execPath, collect); // the first one only put it into the trash

    await pushImage(repository, layer.subarray(0, 500_000), "v3");
    await sent("GET", `${repository}/manifests/v2`, 200);
    expect((await walkStorage(disk)).faults).toEqual([]);
  });

  it("collects what is of no use, though it finds no room at all", async () => {
    const { address } = await serveRegistry(disk);
    const repository = `${address}/v2/a`;
    const config = await collectorConfig(disk);
    const collect = [program, "registry", "garbage-collect", "--quiet", config];
    await expect
      .poll(() => readdir(`${disk}/dewy/garbage`).catch(() => []), soon)
      .toEqual(["reserve"]);
    for (const bytes of [layer, other]) await pushImage(repository, bytes, "latest");
    await fill(disk);

    await run(process.execPath, collect);
    await run(process.execPath, collect);

    await pushImage(repository, layer.subarray(0, 500_000), "v3");
    await sent("GET", `${repository}/manifests/latest`, 200);
    expect((await walkStorage(disk)).faults).toEqual([]);
  });

  it("tells of a push whose event had no room on the disk, once it has", async () => {
    const heard: string[] = [];
    const { url } = await serve(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      heard.push(...JSON.parse(body).events.map(({ action }: { action: string }) => action));
      response.end();
    });
    const storage = await temporaryDirectory("registry");
    const queue = `{queue: {directory: ${disk}}, endpoints: [{name: a, url: "${url}"}]}`;
    const { address } = await serveRegistry(storage, "{}", `notifications: ${queue}`);
    const repository = `${address}/v2/a`;
    const empty = await fill(disk);

    await pushImage(repository, layer, "v1");
    await sent("DELETE", `${repository}/manifests/v1`, 202);
    await empty();

    await vi.waitFor(() => expect(heard).toEqual(["push", "push", "delete"]), soon);
  });

  it("is a mirror that gives what it cannot keep, and keeps it once there is room", async () => {
    const theirs = await serveRegistry(await temporaryDirectory("theirs"));
    await pushImage(`${theirs.address}/v2/a`, layer, "v1");
    const { address, wait } = await openMirror(disk, theirs.address);
    const pull = async () => {
      const manifest = await sent("GET", `${address}/v2/a/manifests/v1`, 200);
      expect(manifest.body.equals(manifestOf(layer))).toBe(true);
      const { body } = await sent("GET", `${address}/v2/a/blobs/${digestOf(layer)}`, 200);
      expect(layer.equals(body)).toBe(true);
    };
    const empty = await fill(disk);

    await pull();

    await empty();
    wait(31_000);
    await pull();
    const kept = async () => (await readdir(disk, { recursive: true })).join();
    await vi.waitFor(async () => {
      expect(await kept()).toContain(`${hexOf(digestOf(layer))}/data`);
      expect(await kept()).toContain(`${hexOf(digestOf(manifestOf(layer)))}/data`);
    }, soon);
    theirs.child.kill();
    await theirs.ended;
    await pull();
  });

  it("collects what another program left, on a disk that was full before it first looked", async () => {
    const { address, child, ended } = await serveRegistry(disk);
    for (const bytes of [layer, other]) await pushImage(`${address}/v2/a`, bytes, "latest");
    child.kill();
    await ended;
    await rm(join(disk, "dewy"), { recursive: true });
    const config = await collectorConfig(disk);
    await fill(disk);

    await run(process.execPath, [program, "registry", "garbage-collect", "--quiet", config]);

    const later = await serveRegistry(disk);
    await pushImage(`${later.address}/v2/a`, layer.subarray(0, 500_000), "v3");
    await sent("GET", `${later.address}/v2/a/manifests/latest`, 200);
    expect((await walkStorage(disk)).faults).toEqual([]);
  });

  it("frees room where none is left for a directory, though it was to keep what it deletes", async () => {
    const { address, child, ended } = await serveRegistry(disk);
    for (const bytes of [layer, other]) await pushImage(`${address}/v2/a`, bytes, "latest");
    child.kill();
    await ended;
    await rm(join(disk, "dewy"), { recursive: true });
    const config = await collectorConfig(disk, "24h");
    await fill(disk);
    const allow = await fillWithNames(disk);

    const collect = [program, "registry", "garbage-collect", config];
    const said = await run(process.execPath, collect);

    expect(said).toMatch(/the disk is full: .*\n.* 2 blobs \(\d{7} bytes\)/);
    allow();
    const later = await serveRegistry(disk);
    await pushImage(`${later.address}/v2/a`, layer.subarray(0, 500_000), "latest");
    expect((await walkStorage(disk)).faults).toEqual([]);
  });
});

/** In this process, so that its clock can be put forward. */
async function openMirror(rootdirectory: string, remoteurl: string) {
  const storage = { filesystem: { rootdirectory } };
  const http = { addr: "127.0.0.1:0" };
  const text = JSON.stringify({ version: 0.1, storage, http, proxy: { remoteurl } });
  const config = parseRegistryConfig({ file: "config.yml", text, environment: {} });
  let aheadMs = 0;
  const now = () => new Date(Date.now() + aheadMs);
  const clock = { ...systemClock, now };
  const { address, close } = await openRegistry(config, { clock, logger: silentLogger });
  onTestFinished(() => close({ signal: AbortSignal.abort() }));
  const wait = (ms: number) => {
    aheadMs += ms;
  };
  return { address, wait };
}

async function collectorConfig(disk: string, trash = "0s"): Promise<string> {
  const file = join(await temporaryDirectory("collector"), "config.yml");
  const collection = `garbagecollect: {grace: 0s, trash: ${trash}, deleteuntagged: true}`;
  const storage = `storage: {filesystem: {rootdirectory: ${disk}}, maintenance: {${collection}}}`;
  await writeFile(file, `version: 0.1\n${storage}\n`);
  return file;
}

async function pushImage(repository: string, bytes: Buffer, tag: string): Promise<void> {
  await sent("POST", `${repository}/blobs/uploads/?digest=${digestOf(bytes)}`, 201, bytes);
  await sent("PUT", `${repository}/manifests/${tag}`, 201, manifestOf(bytes));
}

function manifestOf(bytes: Buffer): Buffer {
  const descriptor = { mediaType: "a/b", digest: digestOf(bytes), size: bytes.length };
  const head = { schemaVersion: 2, mediaType: mediaTypes.ociManifest };
  return Buffer.from(JSON.stringify({ ...head, config: descriptor, layers: [descriptor] }));
}

async function asked(method: string, url: string, body?: Buffer) {
  const response = await fetch(url, { method, ...(body && { body }) });
  const received = Buffer.from(await response.arrayBuffer());
  return { status: response.status, headers: response.headers, body: received };
}

async function sent(method: string, url: string, status: number, body?: Buffer) {
  const answer = await asked(method, url, body);
  expect(answer.status, `${method} ${url}: ${answer.body.subarray(0, 500)}`).toBe(status);
  return answer;
}
