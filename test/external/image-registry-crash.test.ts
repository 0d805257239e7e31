import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/manifest.ts";
import { temporaryDirectory } from "./program.ts";
import { serveRegistry } from "./served-registry.ts";
import { walkStorage } from "./storage-walk.ts";

const kills = 15;

/** What each tag, `repository:tag`, must mean: one of these, as `undefined` is no tag at all. */
type Expected = Map<string, (string | undefined)[]>;

it("loses nothing it acknowledged, and shows nothing half, however often it is killed", async () => {
  const directory = await temporaryDirectory("registry");
  const expected: Expected = new Map();
  let serial = 0;

  for (let round = 0; round < kills; round++) {
    const { address, child, ended } = await serveRegistry(directory);
    const client = async () => {
      for (;;) await liveOf(address, `v${serial++}`, expected);
    };
    const clients = Promise.allSettled([client(), client(), client(), client()]);
    const before = expected.size;
    while (expected.size === before) await sleep(5);
    await sleep(round * 25);
    child.kill("SIGKILL");
    await ended;
    await clients;
  }

  const { tags, faults } = await walkStorage(directory);
  expect(faults).toEqual([]);
  expect(expected.size).toBeGreaterThanOrEqual(kills);
  for (const [tag, digests] of expected) expect(digests, tag).toContain(tags.get(tag));
  const { address } = await serveRegistry(directory);
  for (const [tag, digest] of tags) {
    const path = tag.replace(":", "/manifests/");
    const manifest = await sent(`${address}/v2/${path}`, "GET", 200);
    expect(digestOf(await manifest.text())).toBe(digest);
  }
}, 300_000);

/** An image is pushed, mounted into another repository, tagged anew, and deleted here or there. */
async function liveOf(address: string, tag: string, expected: Expected): Promise<void> {
  const layer = randomBytes(100_000);
  const name = digestOf(layer);
  const manifest = manifestOf(layer);
  await pushBlob(`${address}/v2/a`, layer);
  const change = async (key: string, to: string | undefined, work: () => Promise<unknown>) => {
    expected.set(key, [...(expected.get(key) ?? [undefined]), to]);
    await work();
    expected.set(key, [to]);
  };
  const put = (repository: string, reference = tag) =>
    sent(`${address}/v2/${repository}/manifests/${reference}`, "PUT", 201, manifest);
  await change(`a:${tag}`, digestOf(manifest), () => put("a"));
  await sent(`${address}/v2/b/c/blobs/uploads/?mount=${name}&from=a`, "POST", 201);
  await change(`b/c:${tag}`, digestOf(manifest), () => put("b/c"));
  await put("a", "latest"); // the clients race for it, so only the walk can say that it is whole
  await change(`a:${tag}`, undefined, () =>
    sent(`${address}/v2/a/manifests/${tag}`, "DELETE", 202),
  );
  if (Number(tag.slice(1)) % 2 === 0) return;
  await change(`b/c:${tag}`, undefined, () =>
    sent(`${address}/v2/b/c/manifests/${digestOf(manifest)}`, "DELETE", 202),
  );
  await sent(`${address}/v2/b/c/blobs/${name}`, "DELETE", 202);
}

async function pushBlob(repository: string, bytes: Buffer): Promise<void> {
  const begun = await sent(`${repository}/blobs/uploads/`, "POST", 202);
  const location = begun.headers.get("location") ?? "";
  const middle = bytes.length / 2;
  await sent(location, "PATCH", 202, bytes.subarray(0, middle));
  await sent(`${location}&digest=${digestOf(bytes)}`, "PUT", 201, bytes.subarray(middle));
}

function manifestOf(layer: Buffer): Buffer {
  const descriptor = { mediaType: "a/b", digest: digestOf(layer), size: layer.length };
  const mediaType = mediaTypes.ociManifest;
  return Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType, config: descriptor, layers: [descriptor] }),
  );
}

async function sent(url: string, method: string, status: number, body?: Buffer): Promise<Response> {
  const signal = AbortSignal.timeout(10_000);
  const response = await fetch(url, { method, signal, ...(body && { body }) });
  if (response.status !== status) throw new Error(`${method} ${url}: ${response.status}`);
  return response;
}
