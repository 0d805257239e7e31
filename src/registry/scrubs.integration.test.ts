import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../base/clock.ts";
import { FakeLogger } from "../base/logger.fake.ts";
import { digestOf } from "../oci/digest.ts";
import { defaultRegistryConfig } from "./config.ts";
import { blobDataPath } from "./images/paths.ts";
import { openRegistry } from "./registry.ts";
import { push } from "./served-registry.fake.ts";

const rotten = digestOf("rotten");
const zeros = digestOf("\0\0\0\0\0\0");

it("finds a rotten blob, tells of it everywhere, and changes nothing", async () => {
  const { scrubbed, metrics, logger, blobStatus } = await openRotten();

  const state = await scrubbed({});

  expect(state).toMatchObject({ status: "ended", setAside: false, part: 1, problem: null });
  expect(state.totals).toEqual({ blobs: 2, bytes: 11, rotten: 1 });
  expect(state).toMatchObject({ actor: null, itemsLeftOut: 0 });
  const repositories = ["a", "b/c"];
  const item = { digest: rotten, actual: zeros, setAside: false, repositories };
  expect(state.items).toEqual([item]);
  expect(await blobStatus()).toBe(200);
  const told = logger.lines.find(({ message }) => message === "a blob is rotten");
  expect(told).toMatchObject({ level: "error", fields: { digest: rotten, setAside: false } });
  expect(await metrics()).toEqual(
    expect.arrayContaining([
      'registry_scrubs_total{status="ended"} 1',
      "registry_scrub_blobs_total 2",
      "registry_scrub_bytes_total 11",
      "registry_scrub_rotten_total 1",
      "registry_scrub_last_rotten 1",
      expect.stringMatching(/^registry_scrub_last_timestamp_seconds \d{10}/),
    ]),
  );
});

it("sets a rotten blob aside when it is to, so that the next push brings good bytes", async () => {
  const { scrubbed, metrics, directory, address, blobStatus } = await openRotten();

  const state = await scrubbed({ setAside: true });

  const repositories = ["a", "b/c"];
  const item = { digest: rotten, actual: zeros, setAside: true, repositories };
  expect(state.items).toEqual([item]);
  expect(await readdir(join(directory, "dewy/rotten/sha256"))).toEqual([rotten.slice(7)]);
  expect(await blobStatus()).toBe(404);
  await push(address, "a", Buffer.from("rotten"));
  expect((await scrubbed({})).totals).toEqual({ blobs: 2, bytes: 11, rotten: 0 });
  expect(await metrics()).toEqual(
    expect.arrayContaining(["registry_scrub_rotten_total 1", "registry_scrub_last_rotten 0"]),
  );
});

it("scrubs on a schedule, and the next process knows when that was", async () => {
  const { directory, scrubbed } = await openRotten();
  await scrubbed({});
  await rm(join(directory, "dewy/scrubbed"));
  const weekly = { REGISTRY_STORAGE_MAINTENANCE_SCRUB_ENABLED: "true" };
  const often = { ...weekly, REGISTRY_STORAGE_MAINTENANCE_SCRUB_INTERVAL: "1s" };

  const first = await serve(directory, often);
  await expect.poll(first.metrics, patience).toContain("registry_scrub_last_rotten 1");
  const second = await serve(directory, weekly);

  await expect
    .poll(second.metrics, patience)
    .toContainEqual(expect.stringMatching(/^registry_scrub_last_timestamp_seconds \d{10}/));
  expect(await second.metrics()).toContain('registry_scrubs_total{status="ended"} 0');
});

it.each([
  ["POST", "", '{"set-aside": true}', 400],
  ["POST", "", '{"setAside": "yes"}', 400],
  ["GET", "/current", undefined, 404],
  ["GET", "", undefined, 405],
  ["DELETE", "/current", undefined, 405],
])("answers %s /api/v1/scrubs%s %j with %i", async (method, below, body, status) => {
  const { address } = await openRotten();

  const answer = await fetch(`${address}/api/v1/scrubs${below}`, { method, ...(body && { body }) });

  expect(answer.status).toBe(status);
});

const patience = { timeout: 30_000 };

interface Scrubbed {
  status: string;
  totals: object;
  items: object[];
}

/** A registry with two blobs, of which the medium has forgotten one. */
async function openRotten() {
  const directory = await mkdtemp(join(tmpdir(), "dewy-scrubs-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const { address, logger, metrics } = await serve(directory);
  for (const content of ["rotten", "sound"]) await push(address, "a", Buffer.from(content));
  const mount = `${address}/v2/b/c/blobs/uploads/?mount=${rotten}&from=a`;
  expect((await fetch(mount, { method: "POST" })).status).toBe(201);
  await push(address, "d", Buffer.from("sound"));
  await writeFile(join(directory, blobDataPath(rotten)), "\0\0\0\0\0\0");
  const scrubs = `${address}/api/v1/scrubs`;
  return {
    ...{ directory, logger, address, metrics },
    async blobStatus() {
      return (await fetch(`${address}/v2/a/blobs/${rotten}`, { method: "HEAD" })).status;
    },
    /** Resolves to the scrub when it has ended. */
    async scrubbed(wish: object): Promise<Scrubbed> {
      const begun = await fetch(scrubs, { method: "POST", body: JSON.stringify(wish) });
      expect(begun.status).toBe(202);
      const { id } = (await begun.json()) as { id: string };
      const location = begun.headers.get("location") ?? "";
      expect(location).toBe(`${scrubs}/${id}`);
      const state = async () => (await (await fetch(location)).json()) as Scrubbed;
      await expect.poll(async () => (await state()).status, patience).not.toBe("running");
      expect(await (await fetch(`${scrubs}/current`)).json()).toEqual(await state());
      return await state();
    },
  };
}

async function serve(directory: string, environment: Record<string, string> = {}) {
  const logger = new FakeLogger();
  const config = defaultRegistryConfig(directory, {
    REGISTRY_HTTP_ADDR: "127.0.0.1:0",
    REGISTRY_HTTP_DEBUG_ADDR: "127.0.0.1:0",
    REGISTRY_HTTP_DEBUG_PROMETHEUS_ENABLED: "true",
    ...environment,
  });
  const registry = await openRegistry(config, { clock: systemClock, logger });
  onTestFinished(() => registry.close({ signal: AbortSignal.abort() }));
  const { address, debugAddress } = registry;
  const metrics = async () => {
    return (await (await fetch(`${debugAddress}/metrics`)).text()).split("\n");
  };
  return { address, logger, metrics };
}
