import { expect, it } from "vitest";
import { parseRoute } from "./routes.ts";

it.each([
  ["/", { kind: "root" }],
  ["/v2/", { kind: "base" }],
  ["/v2", { kind: "base" }],
  ["/v2/_catalog", { kind: "catalog" }],
  ["/auth/token", { kind: "token" }],
  ["/v2/a/tags/list", { kind: "tags", repository: "a" }],
  ["/v2/a/b/manifests/v1", { kind: "manifest", repository: "a/b", reference: "v1" }],
  ["/v2/a/manifests/sha256%3Aab", { kind: "manifest", repository: "a", reference: "sha256:ab" }],
  ["/v2/a/blobs/sha256:ab", { kind: "blob", repository: "a", digest: "sha256:ab" }],
  ["/v2/a/blobs/uploads/", { kind: "uploads", repository: "a" }],
  ["/v2/a/blobs/uploads", { kind: "uploads", repository: "a" }],
  ["/v2/a/blobs/uploads/1-2", { kind: "upload", repository: "a", id: "1-2" }],
  ["/v2/a/referrers/sha256:ab", { kind: "referrers", repository: "a", digest: "sha256:ab" }],
  ["/v2/blobs/uploads/tags/list", { kind: "tags", repository: "blobs/uploads" }],
  ["/v2/manifests/manifests/v1", { kind: "manifest", repository: "manifests", reference: "v1" }],
  ["/api/v1/repositories/a/b", { kind: "repository", repository: "a/b" }],
  ["/api/v1/repositories/a/tags/v1/history", { kind: "history", repository: "a", tag: "v1" }],
  ["/api/v1/garbage/collections", { kind: "collections" }],
  ["/api/v1/garbage/collections/current", { kind: "collection", id: "current" }],
  ["/api/v1/scrubs", { kind: "scrubs" }],
  ["/api/v1/scrubs/1-2", { kind: "scrub", id: "1-2" }],
  ["/v2/tags/list/blobs/sha256:ab", { kind: "blob", repository: "tags/list", digest: "sha256:ab" }],
])("reads %s", (path, expected) => {
  expect(parseRoute(path)).toEqual(expected);
});

it.each([
  "/v1/",
  "/api/v1",
  "/api/v1/repositories/",
  "/api/v1/garbage/collections/a/b",
  "/v2/a",
  "/v2/a/manifests/",
  "/v2/a/blobs/",
  "/v2/a/tags",
  "/v2/%zz/tags/list",
  "*",
  "",
])("knows nothing at %j", (path) => {
  expect(parseRoute(path)).toBeUndefined();
});

it.each([
  "/v2/A/tags/list",
  "/v2/../etc/tags/list",
  "/v2/a//b/manifests/v1",
  "/v2/a%2F..%2Fb/tags/list",
  "/v2/_uploads/blobs/sha256:ab",
  "/v2/a%00/tags/list",
  `/v2/${"a".repeat(256)}/tags/list`,
])("refuses the name in %s", (path) => {
  expect(() => parseRoute(path)).toThrow(expect.objectContaining({ code: "NAME_INVALID" }));
});
