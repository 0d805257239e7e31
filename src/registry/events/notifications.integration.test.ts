import { readdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { FakeLogger } from "../../base/logger.fake.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import { absent, begin, blob, digest, openHere, push, pushImage } from "../served-registry.fake.ts";
import type { RegistryEvent } from "./event.ts";
import { openReceiver } from "./receiver.fake.ts";
import { temporaryDirectory } from "./temporary-directory.fake.ts";

const uuid = /^[0-9a-f-]{36}$/;

it("tells of a push as Distribution does", async () => {
  const { address, next } = await opened("events: {includereferences: true}");

  const { name, bytes } = await pushImage(address, "a/b", "v1");

  const [layer, image] = await next(2);
  expect(layer).toEqual({
    id: expect.stringMatching(uuid),
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    action: "push",
    target: {
      mediaType: "application/octet-stream",
      ...{ size: blob.length, digest, length: blob.length, repository: "a/b" },
      url: `${address}/v2/a/b/blobs/${digest}`,
    },
    request: {
      id: expect.stringMatching(uuid),
      addr: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      host: new URL(address).host,
      method: "POST",
      useragent: "node",
    },
    actor: {},
    source: { addr: `${hostname()}:0`, instanceID: expect.stringMatching(uuid) },
  });
  expect(image?.target).toEqual({
    mediaType: mediaTypes.ociManifest,
    ...{ size: bytes.length, digest: name, length: bytes.length, repository: "a/b" },
    url: `${address}/v2/a/b/manifests/${name}`,
    tag: "v1",
    references: [{ mediaType: "a/config", size: blob.length, digest }],
  });
  expect(Object.keys(image?.target ?? {}).indexOf("references")).toBeGreaterThan(5);
});

it("tells of each tag that a manifest is pushed with", async () => {
  const { address, next } = await opened();

  await pushImage(address, "a", "v1", "tag=v1.2&tag=v1");

  const events = await next(3);
  expect(events.map(({ target }) => target.tag)).toEqual([undefined, "v1", "v1.2"]);
  expect(events[1]?.target.references).toBeUndefined();
});

it("tells of pulls, but not of a HEAD, a refusal, or what the client has already", async () => {
  const { address, next } = await opened("", "ignore: {actions: [push]}");
  const { name } = await pushImage(address, "a", "v1");
  const get = (path: string, init?: RequestInit) => fetch(`${address}/v2/a/${path}`, init);

  await get("manifests/v1", { method: "HEAD" });
  await get(`blobs/${absent}`);
  await get("manifests/v1", { headers: { "if-none-match": `"${name}"` } });
  await get("manifests/v1");
  await get(`manifests/${name}`);
  await get(`blobs/${digest}`, { headers: { range: "bytes=0-9" } });

  const events = await next(3);
  expect(events.map(({ action }) => action)).toEqual(["pull", "pull", "pull"]);
  const [byTag, byDigest, layer] = events.map(({ target }) => target);
  expect(byTag).toMatchObject({ digest: name, tag: "v1", mediaType: mediaTypes.ociManifest });
  expect(byDigest?.tag).toBeUndefined();
  expect(layer).toMatchObject({ digest, size: blob.length, length: blob.length });
});

it("tells of a HEAD where that is asked for", async () => {
  const { address, next } = await opened("events: {headpulls: true}", "ignore: {actions: [push]}");
  await push(address, "a", blob);

  await fetch(`${address}/v2/a/blobs/${digest}`, { method: "HEAD" });

  const [event] = await next(1);
  expect(event).toMatchObject({ action: "pull", request: { method: "HEAD" } });
  expect(event?.target.size).toBe(blob.length);
});

it("tells of a mount, and of an upload in parts", async () => {
  const { address, next } = await opened();
  const location = await begin(address, "a");
  await fetch(`${location}&digest=${digest}`, { method: "PUT", body: blob });

  await fetch(`${address}/v2/c/d/blobs/uploads/?mount=${digest}&from=a`, { method: "POST" });
  await fetch(`${address}/v2/c/d/blobs/uploads/?mount=${absent}&from=a`, { method: "POST" });
  await push(address, "end", blob);

  const [upload, mount, end] = await next(3);
  expect(upload).toMatchObject({ action: "push", request: { method: "PUT" } });
  expect(mount).toMatchObject({
    action: "mount",
    target: { repository: "c/d", fromRepository: "a", digest, size: blob.length },
  });
  expect(end?.target.repository).toBe("end");
});

it("tells of what is deleted, and of the tags that go with it", async () => {
  const { address, next } = await opened("", "ignore: {actions: [push]}");
  const { name } = await pushImage(address, "a", "v1", "tag=v2&tag=v3");
  const remove = (path: string) => fetch(`${address}/v2/a/${path}`, { method: "DELETE" });

  await remove("manifests/v3");
  await remove(`manifests/${name}`);
  await remove(`manifests/${name}`);
  await remove(`blobs/${digest}`);

  const events = await next(5);
  expect(events.map(({ action }) => action)).toEqual(Array(5).fill("delete"));
  const [tag, manifest, ...rest] = events.map(({ target }) => target);
  expect(tag).toEqual({ repository: "a", tag: "v3" });
  expect(manifest).toEqual({ digest: name, repository: "a" });
  expect(
    rest
      .slice(0, 2)
      .map((target) => target.tag)
      .sort(),
  ).toEqual(["v1", "v2"]);
  expect(rest[2]).toEqual({ digest, repository: "a" });
  expect(events[1]?.request.id).toBe(events[2]?.request.id);
});

it("tells of the tags that no rule keeps", async () => {
  const collect = "garbagecollect: {enabled: true, interval: 1s}";
  const rules = '[{repositories: [a], keep: {tags: ["v*"]}}]';
  const { address, next } = await opened("", "ignore: {actions: [push]}", undefined, {
    storage: `  maintenance: {${collect}, retention: {rules: ${rules}}}`,
  });
  for (const tag of ["v1", "old"]) await pushImage(address, "a", tag);

  const [removed] = await next(1);

  expect(removed).toMatchObject({
    action: "delete",
    target: { repository: "a", tag: "old" },
    actor: { name: "(retention)" },
    source: { addr: `${hostname()}:0`, instanceID: expect.stringMatching(uuid) },
  });
});

it("does not let a push wait for an endpoint that says nothing", async () => {
  const { address } = await opened("", "timeout: 10m", () => "silence");

  const begun = performance.now();
  for (let index = 0; index < 5; index++) await pushImage(address, "a", `v${index}`);

  expect(performance.now() - begun).toBeLessThan(10_000);
});

it("touches nothing where every endpoint is disabled", async () => {
  const { address, directory } = await opened("", "disabled: true");

  await pushImage(address, "a", "v1");

  expect(await readdir(directory)).toEqual([]);
});

it("does not start beside another process that sends from the same directory", async () => {
  const { directory } = await opened();

  const second = openHere("", "", new FakeLogger(), sectionOf("http://127.0.0.1:1/", directory));

  await expect(second).rejects.toMatchObject({ message: expect.stringContaining(directory) });
});

it("says what is wrong with the directory", async () => {
  const section = sectionOf("http://127.0.0.1:1/", "/proc/nowhere");

  const failure = openHere("", "", new FakeLogger(), section);

  await expect(failure).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: expect.stringMatching(/^the directory of the notifications, \/proc\/nowhere, /),
    hint: expect.any(String),
  });
});

function sectionOf(url: string, directory: string, more = "", endpoint = ""): string {
  const comma = (text: string) => (text === "" ? "" : `, ${text}`);
  const place = join(directory);
  return `notifications: {queue: {directory: ${place}}, endpoints: [{name: e, url: "${url}"${comma(endpoint)}}]${comma(more)}}`;
}

async function opened(
  more = "",
  endpoint = "",
  reply?: Parameters<typeof openReceiver>[0],
  { storage = "" } = {},
) {
  const receiver = await openReceiver(reply);
  const directory = await temporaryDirectory();
  const section = sectionOf(receiver.url, directory, more, endpoint);
  const { address } = await openHere(storage, "", new FakeLogger(), section);

  /** The events so far, once there are so many; there must not be more. */
  async function next(count: number): Promise<RegistryEvent[]> {
    await vi.waitFor(() => expect(receiver.all.length).toBeGreaterThanOrEqual(count), 20_000);
    expect(receiver.all).toHaveLength(count);
    return receiver.all.map(({ event }) => event);
  }

  return { address, directory, next };
}
