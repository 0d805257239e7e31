import { createHash } from "node:crypto";
import { existsSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { temporaryDirectory } from "../external/program.ts";
import { type ServedRegistry, serveRegistry } from "../external/served-registry.ts";
import { walkStorage } from "../external/storage-walk.ts";

const images = 400;
const untagged = "{garbagecollect: {grace: 1m, deleteuntagged: true}}";

it.each(["SIGKILL", "SIGTERM"] as const)(
  "goes on where a %s met its thread, and loses nothing that has a tag",
  async (signal) => {
    const directory = await temporaryDirectory("sweep");
    const kept = fill(directory);
    const blobs = await blobsIn(directory);

    for (const part of [0.9, 0.6, 0.3]) {
      const registry = await serveRegistry(directory, untagged);
      await begin(registry);
      while ((await blobsIn(directory)) > blobs * part) {
        if ((await current(registry)).status !== "running") break;
        await sleep(1);
      }
      registry.child.kill(signal);
      expect(await registry.ended).toBe(signal === "SIGKILL" ? null : 0);
      expect(await walkStorage(directory)).toMatchObject({ faults: [] });
    }
    const registry = await serveRegistry(directory, untagged);
    await begin(registry);
    await expect
      .poll(async () => (await current(registry)).status, { timeout: 30_000 })
      .toBe("ended");

    expect(await walkStorage(directory)).toEqual({ faults: [], tags: new Map([["a:v1", kept]]) });
    expect(await blobsIn(directory, isWhole)).toBe(2); // a kill may leave a directory without one
    const pulled = await fetch(`${registry.address}/v2/a/manifests/v1`);
    expect(digestOf(await pulled.text())).toBe(kept);
    // Of how many manifests it tells: one that was not interrupted begins the next one anew.
    expect((await current(registry)).totals).toMatchObject({ problems: 0 });
  },
  120_000,
);

it("says what its thread fails over, and serves on", async () => {
  const directory = await temporaryDirectory("sweep");
  fill(directory, 1);
  mkdirSync(join(directory, "dewy"), { recursive: true });
  writeFileSync(join(directory, "dewy/garbage"), "in the way");
  const registry = await serveRegistry(directory, untagged);

  const answer = await fetch(`${registry.address}/api/v1/garbage/collections`, { method: "POST" });

  expect(answer.status).toBeGreaterThanOrEqual(400);
  await expect.poll(() => registry.log()).toContain("garbage could not be collected");
  expect(registry.log()).toContain("/dewy/garbage");
  expect((await fetch(`${registry.address}/v2/a/manifests/v1`)).status).toBe(200);
});

async function begin({ address }: ServedRegistry): Promise<void> {
  const answer = await fetch(`${address}/api/v1/garbage/collections`, { method: "POST" });
  expect(answer.status).toBe(202);
}

async function current({ address }: ServedRegistry): Promise<{ status: string; totals: object }> {
  const answer = await fetch(`${address}/api/v1/garbage/collections/current`);
  return (await answer.json()) as { status: string; totals: object };
}

/** Images that were pushed an hour ago, of which one has a tag; resolves to that one. */
function fill(directory: string, count = images): string {
  for (let serial = 0; serial < count; serial++) pushed(directory, `untagged ${serial}`);
  const kept = pushed(directory, "kept");
  put(directory, "repositories/a/_manifests/tags/v1/current/link", kept);
  return kept;
}

/** Each has one blob of its own, for config and layer alike. */
function pushed(directory: string, content: string): string {
  const blob = { mediaType: "a/b", digest: digestOf(content), size: content.length };
  const manifest = JSON.stringify({ schemaVersion: 2, config: blob, layers: [blob] });
  const digest = digestOf(manifest);
  const hex = (name: string) => name.slice("sha256:".length);
  for (const [name, bytes] of [
    [blob.digest, content],
    [digest, manifest],
  ] as const) {
    put(directory, `blobs/sha256/${hex(name).slice(0, 2)}/${hex(name)}/data`, bytes);
  }
  put(directory, `repositories/a/_layers/sha256/${hex(blob.digest)}/link`, blob.digest);
  put(directory, `repositories/a/_manifests/revisions/sha256/${hex(digest)}/link`, digest);
  return digest;
}

function put(directory: string, path: string, content: string): void {
  const place = join(directory, "docker/registry/v2", path);
  mkdirSync(dirname(place), { recursive: true });
  writeFileSync(place, content);
  const at = new Date(Date.now() - 3_600_000);
  utimesSync(place, at, at);
}

/** Also while they are being taken away. */
async function blobsIn(directory: string, isMeant = (_blob: string) => true): Promise<number> {
  const root = join(directory, "docker/registry/v2/blobs/sha256");
  let count = 0;
  for (const prefix of await readdir(root)) {
    const names = await readdir(join(root, prefix)).catch(() => []);
    count += names.filter((name) => isMeant(join(root, prefix, name))).length;
  }
  return count;
}

const isWhole = (blob: string) => existsSync(join(blob, "data"));

function digestOf(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}
