import { expect, it } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/manifest.ts";
import { pushes } from "./blob-pushes.ts";
import { answered, serve } from "./client.ts";

const absent = digestOf("absent");
const malformed = "sha256:baddigeststring";

it("says that it is there", async () => {
  const { headers } = await answered(200, "GET", `${await serve()}/`);

  expect(headers.get("docker-distribution-api-version")).toBe("registry/2.0");
});

it("has nothing in a repository that is new", async () => {
  const repository = `${await serve()}/conformance/one`;

  await answered(404, "GET", `${repository}/tags/list`);
  await answered(404, "GET", `${repository}/tags/list?last=v1`);
  await answered(404, "GET", `${repository}/tags/list?n=0`);
  const { headers, body } = await answered(200, "GET", `${repository}/referrers/${absent}`);
  expect(headers.get("content-type")).toBe(mediaTypes.ociIndex);
  expect(JSON.parse(body.toString())).toEqual({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [],
  });
});

it("lists the tags in order, after the last one, and page by page", async () => {
  const repository = `${await serve()}/conformance/one`;
  const config = Buffer.from("{}");
  await pushes["POST only"]?.(repository, config, digestOf(config));
  const descriptor = { mediaType: "a/b", digest: digestOf(config), size: 2 };
  const body = JSON.stringify({ schemaVersion: 2, config: descriptor, layers: [] });
  const order = ["0", "A", "B", "_", "a", "a-b", "a.b", "a0", "b"];
  for (const tag of [...order].reverse()) {
    const headers = { "content-type": mediaTypes.ociManifest };
    await answered(201, "PUT", `${repository}/manifests/${tag}`, { body, headers });
  }
  const list = async (query: string) => {
    const { body: page, headers } = await answered(200, "GET", `${repository}/tags/list${query}`);
    return { tags: JSON.parse(page.toString()).tags, link: headers.get("link") };
  };
  // ASCII's order: `-` and `.` before digits, capitals before `_` before the others.
  order.sort();

  expect(await list("")).toEqual({ tags: order, link: null });
  for (const [index, last] of order.entries()) {
    expect((await list(`?last=${last}`)).tags).toEqual(order.slice(index + 1));
  }
  expect(await list("?n=0")).toEqual({ tags: [], link: null });
  expect(await list(`?n=${order.length}`)).toEqual({ tags: order, link: null });
  const paged: string[] = [];
  for (let query: string | undefined = "?n=4"; query !== undefined; ) {
    const { tags, link } = await list(query);
    paged.push(...tags);
    query = /^<[^?]*(\?[^>]*)>; rel="next"$/.exec(link ?? "")?.[1];
  }
  expect(paged).toEqual(order);
});

it.each([
  [404, "GET", `manifests/${absent}`],
  [404, "HEAD", `manifests/${absent}`],
  [404, "GET", "manifests/tagnotfound"],
  [404, "HEAD", "manifests/tagnotfound"],
  [404, "DELETE", "manifests/tagnotfound"],
  [404, "DELETE", `manifests/${absent}`],
  [400, "GET", `manifests/${malformed}`],
  [400, "PUT", `manifests/${malformed}`],
  [400, "GET", `blobs/${malformed}`],
  [400, "GET", `referrers/${malformed}`],
])("answers %i to %s %s", async (status, method, path) => {
  const repository = `${await serve()}/conformance/one`;

  const headers = { "content-type": mediaTypes.ociIndex };
  const document = JSON.stringify({
    schemaVersion: 2,
    manifests: [],
    mediaType: mediaTypes.ociIndex,
  });
  const sent = method === "PUT" ? { body: document, headers } : {};

  const { body } = await answered(status, method, `${repository}/${path}`, sent);

  if (method === "HEAD") return;
  const code = status === 404 ? "MANIFEST_UNKNOWN" : "DIGEST_INVALID";
  expect(JSON.parse(body.toString()).errors[0].code).toBe(code);
});
