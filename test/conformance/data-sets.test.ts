import { describe, expect, it } from "vitest";
import type { DigestAlgorithm } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/manifest.ts";
import { pushes } from "./blob-pushes.ts";
import { answered, ask, locationOf, serve } from "./client.ts";
import { DataSet, dataSets, type PushedManifest, sparseSets, twoPlatforms } from "./data-set.ts";

const accept = `${mediaTypes.ociIndex}, ${mediaTypes.ociManifest}`;

describe.each(["sha256", "sha512"] as const)("named by %s,", (algorithm) => {
  it.each(Object.entries(dataSets))("%s lives and dies", async (_name, make) => {
    const repository = `${await serve()}/conformance/one`;
    await live(repository, madeBy(make, algorithm));
  });

  it.each(Object.entries(sparseSets))(
    "%s lives and dies, unless it is checked",
    async (_n, make) => {
      const set = madeBy(make, algorithm);
      await live(`${await serve({ validation: "off" })}/conformance/one`, set);

      const strict = `${await serve()}/conformance/one`;
      await pushBlobs(strict, set);
      const answers: number[] = [];
      for (const { bytes, descriptor } of set.manifests) {
        const headers = { "content-type": descriptor.mediaType };
        const url = `${strict}/manifests/${descriptor.digest}`;
        answers.push((await ask("PUT", url, { body: bytes, headers })).status);
      }
      expect(answers.at(-1)).toBe(400);
    },
  );

  it("a manifest is tagged as often as the query says", async () => {
    const repository = `${await serve()}/conformance/one`;
    const set = madeBy((made) => made.index(twoPlatforms(made)), algorithm);
    await pushBlobs(repository, set);
    const tags = Array.from({ length: 12 }, (_, index) => `t${index}`);

    for (const manifest of set.manifests) {
      const query = tags.map((tag) => `tag=${tag}`).join("&");
      const put = await pushManifest(
        repository,
        manifest,
        `${manifest.descriptor.digest}?${query}`,
      );
      expect(put.headers.get("oci-tag")?.split(/, ?/)).toEqual(tags);
    }

    const last = set.manifests.at(-1);
    for (const tag of tags) {
      const head = await answered(200, "HEAD", `${repository}/manifests/${tag}`);
      expect(head.headers.get("docker-content-digest")).toBe(last?.descriptor.digest);
    }
    await isListed(repository, tags);
  });

  it("an image under another's digest is refused", async () => {
    const repository = `${await serve()}/conformance/one`;
    const set = madeBy((made) => made.image(), algorithm);
    await pushBlobs(repository, set);
    const [manifest] = set.manifests;
    const url = `${repository}/manifests/${manifest?.descriptor.digest}`;

    await answered(400, "PUT", url, {
      body: `${manifest?.bytes}  `,
      headers: { "content-type": mediaTypes.ociManifest },
    });

    await answered(404, "HEAD", url);
  });
});

function madeBy(make: (set: DataSet) => unknown, algorithm: DigestAlgorithm): DataSet {
  const set = new DataSet(algorithm);
  make(set);
  return set;
}

/** Push, list, head, pull, referrers, delete: what the suite does with every data set. */
async function live(repository: string, set: DataSet): Promise<void> {
  await pushBlobs(repository, set);
  for (const manifest of set.manifests) {
    await pushManifest(repository, manifest, manifest.descriptor.digest);
  }
  const last = set.manifests.at(-1);
  if (last === undefined) throw new Error("a data set has a manifest");
  await pushManifest(repository, last, `${last.descriptor.digest}?tag=v1`);
  if (last.descriptor.digest.startsWith("sha256:")) await pushManifest(repository, last, "v2");
  await isListed(repository, last.descriptor.digest.startsWith("sha256:") ? ["v1", "v2"] : ["v1"]);

  await isServed(repository, last, "v1");
  for (const manifest of set.manifests) {
    await isServed(repository, manifest, manifest.descriptor.digest);
  }
  for (const [digest, bytes] of set.blobs) {
    const head = await answered(200, "HEAD", `${repository}/blobs/${digest}`);
    expect(head.headers.get("content-length")).toBe(String(bytes.length));
    expect(head.headers.get("docker-content-digest")).toBe(digest);
    const blob = await answered(200, "GET", `${repository}/blobs/${digest}`);
    expect(blob.body.equals(bytes)).toBe(true);
  }
  await isReferred(repository, set.manifests);
  await dies(repository, set);
  await isReferred(repository, set.manifests, []);
}

/** All tags, and after one in the middle only those that follow it. */
async function isListed(repository: string, tags: readonly string[]): Promise<void> {
  const list = async (query: string) => {
    const { body } = await answered(200, "GET", `${repository}/tags/list${query}`);
    return JSON.parse(body.toString()).tags;
  };
  const sorted = [...tags].sort();
  const half = Math.floor((sorted.length - 1) / 2);
  expect(await list("")).toEqual(sorted);
  expect(await list(`?last=${sorted[half]}`)).toEqual(sorted.slice(half + 1));
}

async function pushBlobs(repository: string, { blobs }: DataSet): Promise<void> {
  for (const [digest, bytes] of blobs) await pushes["POST and PUT"]?.(repository, bytes, digest);
}

async function pushManifest(
  repository: string,
  { bytes, descriptor, subject }: PushedManifest,
  reference: string,
) {
  const url = `${repository}/manifests/${reference}`;
  const headers = { "content-type": descriptor.mediaType };
  const put = await answered(201, "PUT", url, { body: bytes, headers, streamed: true });
  expect(put.headers.get("docker-content-digest")).toBe(descriptor.digest);
  expect(put.headers.get("oci-subject")).toBe(subject ?? null);
  const stored = await answered(200, "GET", locationOf(put, url));
  expect(stored.body.equals(bytes)).toBe(true);
  return put;
}

async function isServed(
  repository: string,
  { bytes, descriptor }: PushedManifest,
  reference: string,
): Promise<void> {
  const url = `${repository}/manifests/${reference}`;
  for (const method of ["HEAD", "GET"]) {
    const answer = await answered(200, method, url, { headers: { accept } });
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "content-type": descriptor.mediaType,
      "content-length": String(bytes.length),
      "docker-content-digest": descriptor.digest,
    });
    if (method === "GET") expect(answer.body.equals(bytes)).toBe(true);
  }
}

/** Every referrer of each subject is listed, with what it says of itself, and alone by its type. */
async function isReferred(
  repository: string,
  manifests: readonly PushedManifest[],
  left = manifests,
): Promise<void> {
  const referrers = left.filter(({ subject }) => subject !== undefined);
  for (const subject of new Set(manifests.flatMap((each) => each.subject ?? []))) {
    const own = referrers.filter((each) => each.subject === subject);
    expect(await listed(repository, subject, "")).toEqual(new Set(own.map(describeReferrer)));
    for (const { artifactType } of own.filter((each) => each.artifactType !== undefined)) {
      const alike = own.filter((each) => each.artifactType === artifactType);
      const found = await listed(repository, subject, `?artifactType=${artifactType}`);
      expect(found).toEqual(new Set(alike.map(describeReferrer)));
    }
  }
}

async function listed(repository: string, subject = "", query: string): Promise<Set<string>> {
  const answer = await answered(200, "GET", `${repository}/referrers/${subject}${query}`);
  expect(answer.headers.get("content-type")).toBe(mediaTypes.ociIndex);
  expect(answer.headers.get("oci-filters-applied")).toBe(query === "" ? null : "artifactType");
  const { schemaVersion, mediaType, manifests } = JSON.parse(answer.body.toString());
  expect([schemaVersion, mediaType]).toEqual([2, mediaTypes.ociIndex]);
  return new Set(manifests.map((each: unknown) => canonical(each)));
}

function describeReferrer({ descriptor, artifactType, annotations }: PushedManifest): string {
  return canonical({ ...descriptor, artifactType, annotations });
}

function canonical(document: unknown): string {
  const { mediaType, digest, size, artifactType, annotations } = document as PushedManifest &
    PushedManifest["descriptor"];
  return JSON.stringify({ mediaType, digest, size, artifactType, annotations });
}

async function dies(repository: string, { manifests, blobs }: DataSet): Promise<void> {
  await answered(202, "DELETE", `${repository}/manifests/v1`);
  await answered(404, "HEAD", `${repository}/manifests/v1`);
  const gone = [...manifests.map(({ descriptor }) => `manifests/${descriptor.digest}`).reverse()];
  for (const path of [...gone, ...[...blobs.keys()].map((digest) => `blobs/${digest}`)]) {
    await answered(200, "HEAD", `${repository}/${path}`);
    await answered(202, "DELETE", `${repository}/${path}`);
    await answered(404, "HEAD", `${repository}/${path}`);
  }
  const { body } = await answered(200, "GET", `${repository}/tags/list`);
  expect(JSON.parse(body.toString()).tags).toEqual([]);
}
