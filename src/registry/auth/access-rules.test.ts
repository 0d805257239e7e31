import { expect, it } from "vitest";
import { accessRulesOf } from "./access-rules.ts";
import type { Wish } from "./authenticator.ts";

const rules = accessRulesOf([
  { repository: "public/**", actions: ["pull"], users: [], groups: [], anonymous: true },
  { repository: "team/*", actions: ["push"], users: ["alice"], groups: [], anonymous: false },
  { repository: "shared", actions: ["pull", "delete"], users: ["*"], groups: [], anonymous: false },
  { repository: "**", actions: ["*"], users: ["root"], groups: [], anonymous: false },
  { repository: "a.b", actions: ["pull"], users: ["bob"], groups: [], anonymous: false },
]);

it.each([
  [undefined, "pull", "public/a", true],
  [undefined, "pull", "public/a/b", true],
  [undefined, "pull", "public", false],
  [undefined, "push", "public/a", false],
  [undefined, "pull", "shared", false],
  ["bob", "pull", "public/a", true],
  ["bob", "pull", "shared", true],
  ["bob", "delete", "shared", true],
  ["bob", "push", "shared", false],
  ["bob", "pull", "a.b", true],
  ["bob", "pull", "axb", false],
  ["alice", "push", "team/a", true],
  ["alice", "pull", "team/a", true],
  ["alice", "delete", "team/a", false],
  ["alice", "push", "team/a/b", false],
  ["alice", "push", "xteam/a", false],
  ["bob", "pull", "team/a", false],
  ["root", "delete", "any/thing", true],
] as const)("says of %s and %s on %s: %s", (user, action, name, expected) => {
  expect(
    rules
      .grantTo(user === undefined ? undefined : { user })
      .allows({ type: "repository", name, action }),
  ).toBe(expected);
});

it("lets whoever may pull anything list the catalog, and shows no more of it", () => {
  const catalog: Wish = { type: "registry", name: "catalog", action: "*" };

  const grant = rules.grantTo({ user: "alice" });

  expect(grant.allows(catalog)).toBe(true);
  expect(["public/a", "team/a", "shared", "a.b"].filter(grant.lists)).toEqual([
    "public/a",
    "team/a",
    "shared",
  ]);
  const locked = accessRulesOf([
    { repository: "x", actions: ["pull"], users: ["alice"], groups: [], anonymous: false },
  ]);
  expect(locked.grantTo({ user: "bob" }).allows(catalog)).toBe(false);
  expect(locked.grantTo(undefined).allows(catalog)).toBe(false);
});

it.each(["garbage", "quotas"])("leaves %s to those who may do everything everywhere", (name) => {
  const garbage: Wish = { type: "registry", name, action: "*" };

  expect(rules.grantTo({ user: "root" }).allows(garbage)).toBe(true);
  expect(rules.grantTo({ user: "alice" }).allows(garbage)).toBe(false);
  expect(rules.grantTo(undefined).allows(garbage)).toBe(false);
});

it("knows who may read everything", () => {
  expect(rules.grantTo({ user: "root" }).reach).toBe("everything");
  expect(rules.grantTo({ user: "alice" }).reach).toBe("some");
});
