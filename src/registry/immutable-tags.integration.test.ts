import { expect, it } from "vitest";
import { blob, digest, openHere, pushImage, putManifest } from "./served-registry.fake.ts";

const storage = `  delete: {enabled: true}
  maintenance: {retention: {rules: [{repositories: ["team/*"], immutable: ["v*"]}]}}`;

it("refuses to move or delete an immutable tag, and takes the same manifest again", async () => {
  const { address } = await openHere(storage);
  const { bytes, name } = await pushImage(address, "team/app", "v1");
  const other = manifestWith("other");

  const moved = await putManifest(address, "team/app/manifests/v1", other);
  const alsoMoved = await putManifest(address, "team/app/manifests/next?tag=v1", other);
  const untagged = await remove(`${address}/v2/team/app/manifests/v1`);
  const removed = await remove(`${address}/v2/team/app/manifests/${name}`);

  const gone = await remove(`${address}/api/v1/repositories/team/app`);

  for (const response of [moved, alsoMoved, untagged, removed, gone])
    expect(response.status).toBe(403);
  expect(await moved.json()).toEqual({
    errors: [
      {
        code: "DENIED",
        message: "the tag v1 is immutable (v*) and may not be moved",
        detail: { tag: "v1", immutable: "v*" },
      },
    ],
  });
  expect(JSON.stringify(await removed.json())).toContain("deleted with its manifest");
  expect((await putManifest(address, "team/app/manifests/v1", bytes)).status).toBe(201);
  expect(await tagged(address, "team/app", "v1")).toBe(name);
  expect((await fetch(`${address}/v2/team/app/manifests/next`)).status).toBe(404);
});

it("lets all other tags be moved and deleted", async () => {
  const { address } = await openHere(storage);
  for (const [repository, tag] of [
    ["team/app", "latest"],
    ["other", "v1"],
  ]) {
    const { name } = await pushImage(address, `${repository}`, `${tag}`);
    const path = `${repository}/manifests/${tag}`;
    expect((await putManifest(address, path, manifestWith("other"))).status).toBe(201);
    expect((await remove(`${address}/v2/${path}`)).status).toBe(202);
    expect((await remove(`${address}/v2/${repository}/manifests/${name}`)).status).toBe(202);
  }
});

it("gives an immutable tag to one of those who push it at once", async () => {
  const { address } = await openHere(storage);
  await pushImage(address, "team/app", "latest");
  const bodies = Array.from({ length: 8 }, (_, place) => manifestWith(`manifest ${place}`));

  const responses = await Promise.all(
    bodies.map((body) => putManifest(address, "team/app/manifests/v1", body)),
  );

  const taken = responses.filter(({ status }) => status === 201);
  expect(taken).toHaveLength(1);
  expect(await tagged(address, "team/app", "v1")).toBe(
    taken[0]?.headers.get("docker-content-digest"),
  );
});

/** Of the blob that `pushImage` pushes as well. */
function manifestWith(note: string): string {
  const config = { mediaType: "a/config", digest, size: blob.length };
  return JSON.stringify({ schemaVersion: 2, config, layers: [], annotations: { note } });
}

async function tagged(address: string, repository: string, tag: string) {
  const response = await fetch(`${address}/v2/${repository}/manifests/${tag}`);
  return response.headers.get("docker-content-digest");
}

const remove = (url: string) => fetch(url, { method: "DELETE" });
