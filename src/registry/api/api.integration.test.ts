import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import {
  absent,
  begin,
  blob,
  digest,
  openHere,
  push,
  pushImage,
  putManifest,
} from "../served-registry.fake.ts";

describe("the registry, over HTTP", () => {
  let base = "";
  beforeEach(async () => {
    base = (await openHere()).address;
  });

  it.each([
    ["GET", "/", 200, ""],
    ["GET", "/v2/", 200, ""],
    ["GET", "/nowhere", 404, ""],
    ["POST", "/v2/", 405, ""],
    ["OPTIONS", "/v2/", 200, ""],
    ["GET", "/v2/A/tags/list", 400, "NAME_INVALID"],
    ["GET", "/v2/a/tags/list", 404, "NAME_UNKNOWN"],
    ["GET", "/v2/_catalog?n=x", 400, "PAGINATION_NUMBER_INVALID"],
    ["GET", "/v2/_catalog?n=1001", 400, "PAGINATION_NUMBER_INVALID"],
    ["GET", "/v2/a/tags/list?n=-1", 400, "PAGINATION_NUMBER_INVALID"],
    ["GET", `/v2/a/blobs/${absent}`, 404, "BLOB_UNKNOWN"],
    ["GET", "/v2/a/blobs/sha256:baddigeststring", 400, "DIGEST_INVALID"],
    ["DELETE", `/v2/a/blobs/${absent}`, 404, "BLOB_UNKNOWN"],
    ["GET", "/v2/a/manifests/v1", 404, "MANIFEST_UNKNOWN"],
    ["GET", "/v2/a/manifests/sha256:baddigeststring", 400, "DIGEST_INVALID"],
    ["PUT", "/v2/a/manifests/sha256:baddigeststring", 400, "DIGEST_INVALID"],
    ["PUT", "/v2/a/manifests/v1", 400, "MANIFEST_INVALID"],
    ["PUT", "/v2/a/manifests/-v1", 400, "TAG_INVALID"],
    ["DELETE", "/v2/a/manifests/v1", 404, "MANIFEST_UNKNOWN"],
    ["DELETE", `/v2/a/manifests/${absent}`, 404, "MANIFEST_UNKNOWN"],
    ["GET", "/v2/a/referrers/nonsense", 400, "DIGEST_INVALID"],
    ["GET", "/v2/a/blobs/uploads/1234", 404, "BLOB_UPLOAD_UNKNOWN"],
    ["PATCH", "/v2/a/blobs/uploads/1234", 404, "BLOB_UPLOAD_UNKNOWN"],
    ["PUT", "/v2/a/blobs/uploads/1234", 400, "DIGEST_INVALID"],
    ["DELETE", "/v2/a/blobs/uploads/.hidden", 404, "BLOB_UPLOAD_UNKNOWN"],
    ["POST", "/v2/a/blobs/uploads/?digest-algorithm=md5", 400, "DIGEST_INVALID"],
    ["POST", `/v2/a/blobs/uploads/?mount=${absent}&from=b`, 202, ""],
    ["POST", `/v2/a/blobs/uploads/?mount=${absent}&from=..`, 202, ""],
    ["POST", `/v2/a/blobs/uploads/?digest=${absent}`, 400, "DIGEST_INVALID"],
  ])("answers %s %s with %i %s", async (method, path, status, code) => {
    const response = await fetch(`${base}${path}`, { method });

    expect(response.status).toBe(status);
    expect(response.headers.get("docker-distribution-api-version")).toBe("registry/2.0");
    const text = await response.text();
    if (code !== "") expect(JSON.parse(text).errors[0]).toMatchObject({ code });
  });

  it("takes a blob in one request, and gives it back whole, in part and not at all", async () => {
    await push(base, "a", blob);
    const url = `${base}/v2/a/blobs/${digest}`;

    const whole = await fetch(url);
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      "content-length": "2048",
      "content-type": "application/octet-stream",
      "docker-content-digest": digest,
      etag: `"${digest}"`,
    });
    expect(blob.equals(Buffer.from(await whole.arrayBuffer()))).toBe(true);
    for (const [range, from, to] of [
      ["bytes=500-1499", 500, 1500],
      ["bytes=-500", 1548, 2048],
      ["bytes=2000-5000", 2000, 2048],
    ] as const) {
      const part = await fetch(url, { headers: { range } });
      expect(part.status).toBe(206);
      expect(part.headers.get("content-range")).toBe(`bytes ${from}-${to - 1}/2048`);
      expect(blob.subarray(from, to).equals(Buffer.from(await part.arrayBuffer()))).toBe(true);
    }
    const beyond = await fetch(url, { headers: { range: "bytes=5000-" } });
    expect([beyond.status, beyond.headers.get("content-range")]).toEqual([416, "bytes */2048"]);
    const known = await fetch(url, { headers: { "if-none-match": `"${digest}"` } });
    expect(known.status).toBe(304);
    const head = await fetch(url, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "2048"]);
  });

  it.each(["sha256", "sha512"] as const)(
    "takes a blob in chunks, named by %s",
    async (algorithm) => {
      const name = digestOf(blob, algorithm);
      const location = await begin(base, "a");
      const chunk = (start: number, end: number) => ({
        method: "PATCH",
        body: blob.subarray(start, end),
        headers: { "content-range": `${start}-${end - 1}` },
      });

      const early = await fetch(location, chunk(1000, 2000));
      const first = await fetch(location, chunk(0, 1000));
      const again = await fetch(location, chunk(0, 1000));
      const status = await fetch(location);
      const wrong = await fetch(`${location}&digest=${name}`, {
        ...chunk(500, 2048),
        method: "PUT",
      });
      const last = await fetch(`${location}&digest=${name}`, {
        ...chunk(1000, 2048),
        method: "PUT",
      });

      expect([early.status, first.status, again.status]).toEqual([416, 202, 416]);
      expect([status.status, status.headers.get("range")]).toEqual([204, "0-999"]);
      expect([wrong.status, last.status]).toEqual([416, 201]);
      const read = await fetch(last.headers.get("location") ?? "");
      expect(read.headers.get("docker-content-digest")).toBe(name);
      expect(blob.equals(Buffer.from(await read.arrayBuffer()))).toBe(true);
    },
  );

  it("ends an upload that is cancelled", async () => {
    const location = await begin(base, "a");

    expect((await fetch(location, { method: "DELETE" })).status).toBe(204);
    expect((await fetch(location)).status).toBe(404);
  });

  it.each([
    ["a repository that has it", "&from=a"],
    ["any repository", ""],
  ])("mounts a blob from %s", async (_name, from) => {
    await push(base, "a", blob);

    const mount = `${base}/v2/b/blobs/uploads/?mount=${digest}${from}`;
    const response = await fetch(mount, { method: "POST" });

    expect(response.status).toBe(201);
    expect((await fetch(`${base}/v2/b/blobs/${digest}`)).status).toBe(200);
  });

  it("deletes a blob from one repository only", async () => {
    await push(base, "a", blob);
    await push(base, "b", blob);

    expect((await fetch(`${base}/v2/a/blobs/${digest}`, { method: "DELETE" })).status).toBe(202);

    expect((await fetch(`${base}/v2/a/blobs/${digest}`)).status).toBe(404);
    expect((await fetch(`${base}/v2/b/blobs/${digest}`)).status).toBe(200);
  });

  it("keeps a manifest byte for byte, by tag and by digest", async () => {
    const { bytes, name } = await pushImage(base, "a", "v1");

    for (const reference of ["v1", name]) {
      const response = await fetch(`${base}/v2/a/manifests/${reference}`);
      expect(response.headers.get("content-type")).toBe(mediaTypes.ociManifest);
      expect(response.headers.get("docker-content-digest")).toBe(name);
      expect(await response.text()).toBe(bytes);
      const head = await fetch(`${base}/v2/a/manifests/${reference}`, { method: "HEAD" });
      expect(head.headers.get("content-length")).toBe(String(bytes.length));
    }
    const wrong = await putManifest(base, `a/manifests/${absent}`, bytes);
    expect(wrong.status).toBe(400);
  });

  it("names everything a manifest lacks", async () => {
    const config = { mediaType: "a/b", digest: absent, size: 1 };
    const foreign = { ...config, digest: digestOf("x"), urls: ["https://example.com/x"] };
    const subject = { ...config, digest: digestOf("later") };
    const manifest = { schemaVersion: 2, config, layers: [foreign], subject };

    const response = await putManifest(base, "a/manifests/v1", JSON.stringify(manifest));

    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      errors: [{ code: "MANIFEST_BLOB_UNKNOWN", detail: absent }],
    });
  });

  it("refuses a manifest of more than 4 MiB with 413", async () => {
    const response = await putManifest(base, "a/manifests/v1", " ".repeat(4 * 1024 * 1024 + 1));

    expect(response.status).toBe(413);
  });

  it("lists tags and repositories in order, page by page", async () => {
    for (const tag of ["v2", "v10", "v1"]) await pushImage(base, "a", tag);

    const first = await fetch(`${base}/v2/a/tags/list?n=2`);
    expect(await first.json()).toEqual({ name: "a", tags: ["v1", "v10"] });
    const link = first.headers.get("link") ?? "";
    expect(link).toBe('</v2/a/tags/list?last=v10&n=2>; rel="next"');
    const second = await fetch(`${base}${link.slice(1, link.indexOf(">"))}`);
    expect(await second.json()).toEqual({ name: "a", tags: ["v2"] });
    expect(second.headers.get("link")).toBeNull();
    expect(await (await fetch(`${base}/v2/a/tags/list?n=0`)).json()).toMatchObject({ tags: [] });
    expect(await (await fetch(`${base}/v2/_catalog`)).json()).toEqual({ repositories: ["a"] });
  });

  it("deletes a tag, and with a manifest every tag of it", async () => {
    const { name } = await pushImage(base, "a", "v1");
    await pushImage(base, "a", "v1", "&tag=v2&tag=v3");
    const remove = (reference: string) =>
      fetch(`${base}/v2/a/manifests/${reference}`, { method: "DELETE" });

    expect((await remove("v1")).status).toBe(202);
    expect((await fetch(`${base}/v2/a/manifests/v1`)).status).toBe(404);
    expect((await fetch(`${base}/v2/a/manifests/v2`)).status).toBe(200);
    expect((await remove(name)).status).toBe(202);
    expect((await fetch(`${base}/v2/a/manifests/v3`)).status).toBe(404);
    expect((await fetch(`${base}/v2/a/manifests/${name}`)).status).toBe(404);
  });

  it("answers what refers to a manifest, filtered by type", async () => {
    const { name } = await pushImage(base, "a", "v1");
    const subject = { mediaType: mediaTypes.ociManifest, digest: name, size: 1 };
    const config = { mediaType: "a/sbom", digest, size: blob.length };
    const bytes = JSON.stringify({ schemaVersion: 2, config, layers: [], subject });

    const put = await putManifest(base, "a/manifests/sbom", bytes);
    const all = await fetch(`${base}/v2/a/referrers/${name}`);
    const none = await fetch(`${base}/v2/a/referrers/${name}?artifactType=a/other`);

    expect(put.headers.get("oci-subject")).toBe(name);
    expect(all.headers.get("content-type")).toBe(mediaTypes.ociIndex);
    expect(await all.json()).toMatchObject({
      manifests: [{ digest: digestOf(bytes), artifactType: "a/sbom", size: bytes.length }],
    });
    expect(none.headers.get("oci-filters-applied")).toBe("artifactType");
    expect(await none.json()).toMatchObject({ manifests: [] });
  });

  it("survives what is not HTTP, and bodies that break off, without losing a file", async () => {
    const before = openFiles();
    const port = Number(new URL(base).port);
    const location = await begin(base, "a");
    const path = new URL(location).pathname;
    for (const text of [
      "garbage\r\n\r\n",
      "GET /v2/%00%ff/tags/list HTTP/1.1\r\nHost: a\r\n\r\n",
      `PATCH ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf`,
      `POST /v2/a/blobs/uploads/?digest=${digest} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx`,
      `GET /v2/a/manifests/v1 HTTP/1.1\r\nHost: a\r\nRange: bytes=${"9".repeat(3000)}-\r\n\r\n`,
    ]) {
      await cutOff(port, text);
    }

    await vi.waitFor(() => expect(openFiles()).toBeLessThanOrEqual(before + 2));
    expect((await fetch(`${base}/v2/`)).status).toBe(200);
  });
});

/** Sends `text`, and breaks the connection once it is out. */
async function cutOff(port: number, text: string): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await new Promise<void>((resolve) => {
    socket.end(text);
    socket.on("close", resolve);
    socket.resume();
  });
}

function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}
