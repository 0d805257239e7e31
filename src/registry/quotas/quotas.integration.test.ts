import { randomBytes } from "node:crypto";
import { expect, it, vi } from "vitest";
import { digestOf } from "../../oci/digest.ts";
import { parseRegistryConfig } from "../config.ts";
import { begin, openHere, push, pushImage, putManifest } from "../served-registry.fake.ts";

const one = randomBytes(1000);
const other = randomBytes(1000);

it("refuses a blob that does not fit, and says what would help", async () => {
  const { address } = await openWith("{repositories: team/**, size: 1500}");
  await push(address, "team/a", one);

  const refused = await monolithic(address, "team/b", other);

  expect(refused.status).toBe(413);
  const { errors } = (await refused.json()) as { errors: { message: string }[] };
  expect(errors).toMatchObject([
    {
      code: "DENIED",
      detail: { repositories: "team/**", size: 1500, used: 1000, needed: 1000 },
    },
  ]);
  expect(errors[0]?.message).toBe(
    "the quota of 1.5 KiB for team/** has 1000 bytes in use, and this needs 1000 bytes more: " +
      "delete images and have garbage collected, or have the quota raised",
  );
  expect((await monolithic(address, "elsewhere", other)).status).toBe(201);
});

it("counts a blob once, however many of the repositories have it", async () => {
  const { address } = await openWith("{repositories: team/*, size: 1500}");
  await push(address, "team/a", one);

  expect((await monolithic(address, "team/b", one)).status).toBe(201);
  const mount = `${address}/v2/team/c/blobs/uploads/?mount=${digestOf(one)}&from=team/a`;
  expect((await fetch(mount, { method: "POST" })).status).toBe(201);
  await push(address, "beside", other);
  const foreign = `${address}/v2/team/c/blobs/uploads/?mount=${digestOf(other)}&from=beside`;
  expect((await fetch(foreign, { method: "POST" })).status).toBe(413);
  expect(await usedAt(address)).toEqual([1000]);
});

it("counts manifests, and refuses them as well", async () => {
  const { address } = await openWith("{repositories: a, size: 2500}");
  await pushImage(address, "a", "v1");
  const [used = 0] = await usedAt(address);
  expect(used).toBeGreaterThan(2048);

  const large = JSON.stringify({ ...manifestOf(one), annotations: { much: "x".repeat(1000) } });
  const refused = await putManifest(address, "a/manifests/v2", large);

  expect(refused.status).toBe(413);
  expect(await usedAt(address)).toEqual([used]);
});

it("lets every quota have its say", async () => {
  const { address } = await openWith(
    "{repositories: team/**, size: 10KiB}, {repositories: team/a, size: 500}",
  );

  expect((await monolithic(address, "team/a", one)).status).toBe(413);
  expect((await monolithic(address, "team/b", one)).status).toBe(201);
  expect(await usedAt(address)).toEqual([1000, 0]);
});

it("ends an upload that is longer than the whole quota, and begins none when it is full", async () => {
  const { address } = await openWith("{repositories: a, size: 1000}");
  const location = await begin(address, "a");

  const chunk = await fetch(location, { method: "PATCH", body: randomBytes(1001) });
  expect(chunk.status).toBe(413);
  expect((await fetch(location)).status).toBe(404);
  await push(address, "a", one);
  const begun = await fetch(`${address}/v2/a/blobs/uploads/`, { method: "POST" });
  expect(begun.status).toBe(413);
});

it("has room again after a deletion and a collection", async () => {
  const collecting = "  delete: {enabled: true}\n  maintenance: {garbagecollect: {grace: 0s}}";
  const { address } = await openWith("{repositories: a, size: 3000}", collecting);
  const { name } = await pushImage(address, "a", "v1");
  expect((await monolithic(address, "a", one)).status).toBe(413);

  await fetch(`${address}/v2/a/manifests/${name}`, { method: "DELETE" });
  await vi.waitFor(async () => {
    await fetch(`${address}/api/v1/garbage/collections`, { method: "POST" });
    expect((await monolithic(address, "a", one)).status).toBe(201);
  }, 20_000);
});

it("has room again at once when a repository is deleted, or a blob", async () => {
  const { address } = await openWith("{repositories: '**', size: 1500}");
  await push(address, "a", one);
  await fetch(`${address}/api/v1/repositories/a`, { method: "DELETE" });
  await vi.waitFor(async () => expect(await usedAt(address)).toEqual([0]));
  await push(address, "a", other);

  await fetch(`${address}/v2/a/blobs/${digestOf(other)}`, { method: "DELETE" });

  await vi.waitFor(async () => expect(await usedAt(address)).toEqual([0]));
});

it("keeps no room for what was refused or given up", async () => {
  const { address } = await openWith("{repositories: '**', size: 1500}");
  const wrong = `${address}/v2/a/blobs/uploads/?digest=${digestOf("something else")}`;
  expect((await fetch(wrong, { method: "POST", body: one })).status).toBe(400);

  expect((await monolithic(address, "a", other)).status).toBe(201);
  expect(await usedAt(address)).toEqual([1000]);
});

it.each([
  ["{repositories: Team, size: 1}", "quotas.0.repositories: write a repository"],
  ["{repositories: a, size: much}", "quotas.0.size: write a size, such as"],
  ["{repositories: a, size: 0}", "quotas.0.size: write a size of at least one byte"],
  ["{repositories: a}", "quotas.0.size"],
])("refuses %s", (quota, expected) => {
  const text = `version: 0.1\nstorage: {inmemory: }\nquotas: [${quota}]\n`;
  expect(() => parseRegistryConfig({ file: "config.yml", text, environment: {} })).toThrow(
    expected,
  );
});

const openWith = (quotas: string, storage = "") =>
  openHere(storage, "", undefined, `quotas: [${quotas}]`);

function monolithic(address: string, repository: string, bytes: Buffer): Promise<Response> {
  const url = `${address}/v2/${repository}/blobs/uploads/?digest=${digestOf(bytes)}`;
  return fetch(url, { method: "POST", body: Buffer.from(bytes) });
}

async function usedAt(address: string): Promise<number[]> {
  const response = await fetch(`${address}/api/v1/quotas`);
  const { quotas } = (await response.json()) as { quotas: { used: number }[] };
  return quotas.map(({ used }) => used);
}

function manifestOf(bytes: Buffer) {
  const config = { mediaType: "a/config", digest: digestOf(bytes), size: bytes.length };
  return { schemaVersion: 2, config, layers: [] };
}
