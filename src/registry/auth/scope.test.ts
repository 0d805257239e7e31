import { expect, it } from "vitest";
import { accessFor, parseScope, scopeOf } from "./scope.ts";

it.each([
  ["repository:team/app:pull", "repository:team/app:pull"],
  ["repository:team/app:push,pull", "repository:team/app:pull,push"],
  ["repository:team/app:pull,pull", "repository:team/app:pull"],
  ["repository:a:pull repository:b:delete", "repository:a:pull repository:b:delete"],
  ["repository(plugin):team/app:pull", "repository:team/app:pull"],
  ["repository:team/app:*", "repository:team/app:pull,push,delete,*"],
  ["registry:catalog:*", "registry:catalog:*"],
  ["registry:garbage:*", "registry:garbage:*"],
  ["registry:scrubs:*", "registry:scrubs:*"],
  ["repository:a:pull  repository:a:push", "repository:a:pull,push"],
])("reads %j", (text, expected) => {
  expect(scopeOf(parseScope(text))).toBe(expected);
});

it.each([
  ...["", " ", "repository", "repository:", "repository::pull", "repository:a", "repository:a:"],
  ...["repository:A:pull", "repository:a:fly", "registry:catalog:pull", "registry:secrets:*"],
  ...["plugin:a:pull", "repository:../a:pull", "repository:r.test:5000/a:pull", "\0:\0:\0"],
  `repository:${"a".repeat(300)}:pull`,
])("finds nothing in %j that a token could be for", (text) => {
  expect(parseScope(text)).toEqual([]);
});

it("gathers what is wished of the same", () => {
  expect(accessFor(parseScope("repository:a:pull repository:b:pull repository:a:push"))).toEqual([
    { type: "repository", name: "a", actions: ["pull", "push"] },
    { type: "repository", name: "b", actions: ["pull"] },
  ]);
});
