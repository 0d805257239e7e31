import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { blobDataPath } from "../../src/registry/images/paths.ts";
import { temporaryDirectory } from "../external/program.ts";
import { type ServedRegistry, serveRegistry } from "../external/served-registry.ts";

const blobs = 600;

it("reads all blobs on a thread, while it serves, and says which are rotten", async () => {
  const directory = await temporaryDirectory("scrub");
  for (let serial = 0; serial < blobs; serial++) put(directory, `blob ${serial}`);
  const rotten = put(directory, "x".repeat(3_000_000), "x".repeat(2_999_999));
  const registry = await serveRegistry(directory);

  const begun = await fetch(`${registry.address}/api/v1/scrubs`, { method: "POST" });

  expect(begun.status).toBe(202);
  expect((await fetch(`${registry.address}/v2/`)).status).toBe(200);
  const state = await ended(registry);
  expect(state).toMatchObject({ status: "ended", part: 1, problem: null });
  expect(state).toMatchObject({ totals: { blobs: blobs + 1, rotten: 1 } });
  expect(state).toMatchObject({ items: [{ digest: rotten, setAside: false }] });
  await expect.poll(() => registry.log()).toContain("a blob is rotten");
});

it.each(["SIGTERM", "SIGKILL"] as const)("leaves every sound blob to a %s", async (signal) => {
  const directory = await temporaryDirectory("scrub");
  for (let serial = 0; serial < blobs; serial++) put(directory, `blob ${serial}`);
  put(directory, "rotten", "rotted");
  const registry = await serveRegistry(directory);

  await fetch(`${registry.address}/api/v1/scrubs`, { method: "POST", body: '{"setAside": true}' });
  registry.child.kill(signal);
  expect(await registry.ended).toBe(signal === "SIGKILL" ? null : 0);

  const next = await serveRegistry(directory);
  await fetch(`${next.address}/api/v1/scrubs`, { method: "POST", body: '{"setAside": true}' });
  expect(await ended(next)).toMatchObject({ status: "ended" });
  await fetch(`${next.address}/api/v1/scrubs`, { method: "POST" });
  expect(await ended(next)).toMatchObject({ totals: { blobs, rotten: 0 } });
});

async function ended({ address }: ServedRegistry): Promise<object> {
  const current = `${address}/api/v1/scrubs/current`;
  const state = async () => (await (await fetch(current)).json()) as { status: string };
  await expect.poll(async () => (await state()).status, { timeout: 30_000 }).not.toBe("running");
  return await state();
}

/** A blob by the name of `content`, with other bytes where they are given. */
function put(directory: string, content: string, bytes = content) {
  const digest = digestOf(content);
  const place = join(directory, blobDataPath(digest));
  mkdirSync(dirname(place), { recursive: true });
  writeFileSync(place, bytes);
  return digest;
}
