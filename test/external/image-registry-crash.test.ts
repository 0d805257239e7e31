import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/manifest.ts";
import { temporaryDirectory } from "./program.ts";

const program = fileURLToPath(new URL("../../dist/bench/registry-program.js", import.meta.url));
const kills = 12;

it("loses nothing it acknowledged, and shows nothing half, however often it is killed", async () => {
  const directory = await temporaryDirectory("registry");
  const acknowledged = new Map<string, string>();
  let serial = 0;

  for (let round = 0; round < kills; round++) {
    const { child, address } = await start(directory);
    let killer: NodeJS.Timeout | undefined;
    const pusher = async () => {
      for (;;) {
        const tag = `v${serial++}`;
        acknowledged.set(tag, await pushImage(address, tag));
        killer ??= setTimeout(() => child.kill("SIGKILL"), round * 17);
      }
    };
    await Promise.allSettled([pusher(), pusher(), pusher()]);
    clearTimeout(killer);
  }
  const { address } = await start(directory);

  expect(acknowledged.size).toBeGreaterThanOrEqual(kills);
  const { tags } = await json(`${address}/v2/a/tags/list`);
  for (const tag of tags) {
    const manifest = await json(`${address}/v2/a/manifests/${tag}`);
    for (const { digest } of [manifest.config, ...manifest.layers]) {
      const blob = await fetch(`${address}/v2/a/blobs/${digest}`);
      expect(digestOf(Buffer.from(await blob.arrayBuffer()))).toBe(digest);
    }
  }
  for (const [tag, digest] of acknowledged) {
    const response = await fetch(`${address}/v2/a/manifests/${tag}`, { method: "HEAD" });
    expect(response.headers.get("docker-content-digest")).toBe(digest);
  }
}, 60_000);

async function start(directory: string): Promise<{ child: ChildProcess; address: string }> {
  const child = fork(program, [directory]);
  onTestFinished(() => void child.kill("SIGKILL"));
  const [address] = (await once(child, "message")) as [string];
  return { child, address };
}

/** Pushes an image of one random layer, in two pieces; resolves once its manifest is acknowledged. */
async function pushImage(address: string, tag: string): Promise<string> {
  const layer = randomBytes(200_000);
  const begun = await sent(`${address}/v2/a/blobs/uploads/`, "POST", 202);
  const location = begun.headers.get("location") ?? "";
  await sent(location, "PATCH", 202, layer.subarray(0, 100_000));
  const end = layer.subarray(100_000);
  await sent(`${location}&digest=${digestOf(layer)}`, "PUT", 201, end);
  const descriptor = { mediaType: "a/b", digest: digestOf(layer), size: layer.length };
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptor,
    layers: [descriptor],
  };
  const body = Buffer.from(JSON.stringify(manifest));
  const put = await sent(`${address}/v2/a/manifests/${tag}`, "PUT", 201, body);
  return put.headers.get("docker-content-digest") ?? "";
}

async function sent(url: string, method: string, status: number, body?: Buffer): Promise<Response> {
  const signal = AbortSignal.timeout(10_000);
  const response = await fetch(url, { method, signal, ...(body && { body }) });
  if (response.status !== status) throw new Error(`${method} ${url}: ${response.status}`);
  return response;
}

async function json(url: string) {
  const response = await fetch(url);
  expect(response.status).toBe(200);
  return JSON.parse(await response.text());
}
