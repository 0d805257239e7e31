import { expect, it, vi } from "vitest";
import { digestOf } from "../oci/digest.ts";
import { blob, digest, openHere, push, pushImage, putManifest } from "./served-registry.fake.ts";

const path = "/api/v1/repositories";

it("deletes a repository", async () => {
  const { address } = await openHere();
  await pushImage(address, "team/app", "v1");

  const gone = await fetch(`${address}${path}/team/app`, { method: "DELETE" });

  expect(gone.status).toBe(202);
  expect((await fetch(`${address}/v2/team/app/manifests/v1`)).status).toBe(404);
  expect((await fetch(`${address}/v2/team/app/tags/list`)).status).toBe(404);
  const again = await fetch(`${address}${path}/team/app`, { method: "DELETE" });
  expect(again.status).toBe(404);
  expect(await again.json()).toMatchObject({ errors: [{ code: "NAME_UNKNOWN" }] });
});

it("tells what is in each repository, page by page", async () => {
  const { address } = await openHere();
  const { bytes } = await pushImage(address, "a", "v1");
  await pushImage(address, "b/c", "v1", "tag=v2");
  await push(address, "d", Buffer.from("six ab"));

  const first = await fetch(`${address}${path}?n=2`);
  const next = /<(.*)>; rel="next"/.exec(first.headers.get("link") ?? "")?.[1] ?? "";
  const rest = await fetch(next);

  const size = blob.length + bytes.length;
  const lastPush = expect.stringMatching(/^\d{4}-.*Z$/);
  expect(await first.json()).toEqual({
    repositories: [
      { name: "a", tags: 1, size, lastPush },
      { name: "b/c", tags: 2, size, lastPush },
    ],
  });
  expect(await rest.json()).toEqual({
    repositories: [{ name: "d", tags: 0, size: 6, lastPush: null }],
  });
  expect(rest.headers.get("link")).toBeNull();
  expect((await fetch(`${address}${path}?n=101`)).status).toBe(400);
});

it("deletes nothing where deleting is not enabled", async () => {
  const { address } = await openHere("  delete: {enabled: false}");
  await push(address, "a", blob);

  const refused = await fetch(`${address}${path}/a`, { method: "DELETE" });

  expect(refused.status).toBe(405);
  expect((await fetch(`${address}/v2/a/blobs/${digest}`)).status).toBe(200);
});

it("tells the history of a tag page by page, below its prefix", async () => {
  const { address } = await openHere("", "prefix: /reg/");
  const base = `${address}/reg`;
  await push(base, "a/b", blob);
  const digests = [];
  for (const annotation of ["1", "2", "3"]) {
    const put = await putManifest(base, "a/b/manifests/v1", manifestWith(annotation));
    digests.unshift(put.headers.get("docker-content-digest"));
  }

  const whole = await historyAt(`${base}${path}/a/b/tags/v1/history`);
  const first = await historyAt(`${base}${path}/a/b/tags/v1/history?n=2`);
  const rest = await historyAt(/<(.*)>; rel="next"/.exec(first.link ?? "")?.[1] ?? "");

  expect(whole.link).toBeNull();
  expect(whole.body).toMatchObject({ name: "a/b", tag: "v1", lastPulled: null });
  const told = whole.body.history.map(({ digest }) => digest);
  expect(told).toEqual(digests);
  expect(whole.body.history[0]).toMatchObject({
    action: "push",
    previous: digests[1],
    actor: null,
  });
  expect([...first.body.history, ...rest.body.history]).toEqual(whole.body.history);
});

it("tells when a tag was pulled last, which no HEAD is", async () => {
  const { address } = await openHere();
  const { name } = await pushImage(address, "a", "v1");
  const manifest = `${address}/v2/a/manifests/v1`;
  const history = `${address}${path}/a/tags/v1/history`;
  await fetch(manifest, { method: "HEAD" });
  expect((await historyAt(history)).body.lastPulled).toBeNull();

  await fetch(manifest);

  await vi.waitFor(async () =>
    expect((await historyAt(history)).body.lastPulled).toEqual(expect.any(String)),
  );
  await fetch(`${address}/v2/a/manifests/${name}`, { method: "DELETE" });
  expect((await historyAt(history)).body.history[0]).toMatchObject({
    action: "delete",
    digest: null,
    previous: name,
  });
});

it.each([
  [`${path}/a/tags/none/history`, 404, "MANIFEST_UNKNOWN"],
  [`${path}/A/tags/v1/history`, 400, "NAME_INVALID"],
  [`${path}/a/tags/-/history`, 400, "TAG_INVALID"],
  [`${path}/a/tags/v1/history?n=0`, 400, "PAGINATION_NUMBER_INVALID"],
  [`${path}/a/tags/v1/history?before=then`, 400, "PAGINATION_NUMBER_INVALID"],
])("answers %s with %i", async (asked, status, code) => {
  const { address } = await openHere();
  await pushImage(address, "a", "v1");

  const response = await fetch(`${address}${asked}`);

  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject({ errors: [{ code }] });
});

const collections = "/api/v1/garbage/collections";
const maintenance = "{garbagecollect: {grace: 0s}}";

it("collects garbage when it is asked to, and tells what came of it", async () => {
  const { address } = await openHere(`  maintenance: ${maintenance}`);
  await pushImage(address, "team/app", "v1");
  await push(address, "team/app", Buffer.from("orphan"));
  const orphan = `${address}/v2/team/app/blobs/${digestOf("orphan")}`;
  await vi.waitFor(async () => {
    const dry = await collected(address, { dryRun: true });
    expect(dry).toMatchObject({ status: "ended", dryRun: true, repositories: 1, itemsLeftOut: 0 });
    expect(dry.items.map(({ kind }) => kind)).toContain("layer link");
  }, patience);
  expect((await fetch(orphan)).status).toBe(200);

  await vi.waitFor(async () => {
    const wet = await collected(address, {});
    expect(wet).toMatchObject({ status: "ended", dryRun: false, actor: null, problem: null });
    expect((await fetch(orphan)).status).toBe(404);
  }, patience);

  expect((await fetch(`${address}/v2/team/app/manifests/v1`)).status).toBe(200);
});

it.each([
  ["POST", collections, '{"dryrun": true}', 400],
  ["POST", collections, "{", 400],
  ["POST", collections, " ".repeat(5_000), 413],
  ["GET", `${collections}/current`, undefined, 404],
  ["GET", collections, undefined, 405],
])("answers %s %s %j with %i", async (method, asked, body, status) => {
  const { address } = await openHere();

  const response = await fetch(`${address}${asked}`, { method, ...(body && { body }) });

  expect(response.status).toBe(status);
});

it("has nothing else below /api/v1", async () => {
  const { address } = await openHere();

  expect((await fetch(`${address}/api/v1/`)).status).toBe(404);
  expect((await fetch(`${address}/api/v1/repositories/a`, { method: "PUT" })).status).toBe(405);
});

function manifestWith(annotation: string): string {
  const config = { mediaType: "a/config", digest, size: blob.length };
  return JSON.stringify({ schemaVersion: 2, config, layers: [], annotations: { annotation } });
}

/** Resolves to the collection when it has ended. */
async function collected(address: string, wish: object) {
  const body = JSON.stringify(wish);
  const begun = await fetch(`${address}${collections}`, { method: "POST", body });
  expect(begun.status).toBe(202);
  const location = begun.headers.get("location") ?? "";
  const { id } = (await begun.json()) as { id: string };
  expect(location).toBe(`${address}${collections}/${id}`);
  return await vi.waitFor(async () => {
    const state = (await (await fetch(location)).json()) as Collected;
    expect(state.status).not.toBe("running");
    expect(await (await fetch(`${address}${collections}/current`)).json()).toEqual(state);
    return state;
  }, patience);
}

/** What a collection needs is loaded with the first one. */
const patience = { timeout: 30_000 };

interface Collected {
  status: string;
  items: { kind: string }[];
}

async function historyAt(url: string) {
  const response = await fetch(url);
  expect(response.status).toBe(200);
  const body = (await response.json()) as { lastPulled: unknown; history: { digest: string }[] };
  return { link: response.headers.get("link"), body };
}
