import { expect, it } from "vitest";
import { credentialsIn, wishesFor } from "./admission.ts";
import type { Route } from "./routes.ts";

const inA = { repository: "a" };
const blob: Route = { kind: "blob", ...inA, digest: "sha256:0" };
const manifest: Route = { kind: "manifest", ...inA, reference: "v1" };
const upload: Route = { kind: "upload", ...inA, id: "1" };

it.each<[string, Route, string]>([
  ["GET", { kind: "base" }, ""],
  ["GET", { kind: "catalog" }, "registry:catalog:*"],
  ["POST", { kind: "collections" }, "registry:garbage:*"],
  ["GET", { kind: "repositories" }, "registry:catalog:*"],
  ["GET", { kind: "quotas" }, "registry:quotas:*"],
  ["GET", { kind: "collection", id: "current" }, "registry:garbage:*"],
  ["POST", { kind: "scrubs" }, "registry:scrubs:*"],
  ["GET", { kind: "scrub", id: "1" }, "registry:scrubs:*"],
  ["DELETE", { kind: "repository", repository: "a" }, "repository:a:delete"],
  ["GET", { kind: "history", repository: "a", tag: "v1" }, "repository:a:pull"],
  ["GET", blob, "repository:a:pull"],
  ["HEAD", manifest, "repository:a:pull"],
  ["GET", { kind: "tags", ...inA }, "repository:a:pull"],
  ["GET", { kind: "referrers", ...inA, digest: "sha256:0" }, "repository:a:pull"],
  ["POST", { kind: "uploads", ...inA }, "repository:a:pull repository:a:push"],
  ["PATCH", upload, "repository:a:pull repository:a:push"],
  ["PUT", manifest, "repository:a:pull repository:a:push"],
  ["DELETE", manifest, "repository:a:delete"],
  ["DELETE", blob, "repository:a:delete"],
  ["DELETE", upload, "repository:a:pull repository:a:push"],
  ["BREW", blob, "repository:a:pull"],
])("knows that %s on %j wishes %s", (method, route, expected) => {
  const wishes = wishesFor(route, method);

  expect(wishes.map(({ type, name, action }) => `${type}:${name}:${action}`).join(" ")).toBe(
    expected,
  );
});

it.each([
  [basicOf("alice:secret"), ["alice", "secret"]],
  [basicOf("alice:se:cr:et"), ["alice", "se:cr:et"]],
  [basicOf("alice:пароль"), ["alice", "пароль"]],
  [basicOf("alice:"), ["alice", ""]],
  [basicOf(":secret"), ["", "secret"]],
  [basicOf("alice:secret").replace("Basic ", "bAsIc   "), ["alice", "secret"]],
])("reads the name and password of %j", (header, expected) => {
  const credentials = credentialsIn(header);

  if (credentials?.scheme !== "basic") throw new Error("not read");
  expect([credentials.user, credentials.password.reveal()]).toEqual(expected);
  expect(JSON.stringify(credentials)).not.toContain("secret");
});

it("reads a token", () => {
  const credentials = credentialsIn("bearer a.b.c");

  if (credentials?.scheme !== "bearer") throw new Error("not read");
  expect(credentials.token.reveal()).toBe("a.b.c");
});

it.each([[undefined], [basicOf(":")]])("takes %j for nobody", (header) => {
  expect(credentialsIn(header)).toBeUndefined();
});

it.each(["", "Basic", "Basic !!!!", basicOf("no colon"), "Digest a=b", "Bearer a b", "x"])(
  "takes %j for something that is no good",
  (header) => {
    expect(credentialsIn(header)).toEqual({ scheme: "other" });
  },
);

function basicOf(pair: string): string {
  return `Basic ${Buffer.from(pair).toString("base64")}`;
}
