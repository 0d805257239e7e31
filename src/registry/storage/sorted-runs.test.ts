import { expect, it } from "vitest";
import { firstNames, sortedRun } from "./sorted-runs.ts";

const runs = [["d", "a", "ä"], [], ["b", "e", "aa"], ["c"]].map(sortedRun);

it("gives the names of all runs in one order", () => {
  const all = ["a", "aa", "b", "c", "d", "e", "ä"];

  expect(firstNames(runs, { after: undefined, count: 100 })).toEqual(all);
  for (const [at, after] of all.entries()) {
    expect(firstNames(runs, { after, count: 2 })).toEqual(all.slice(at + 1, at + 3));
  }
});

it("goes on after a name that is in none of them", () => {
  expect(firstNames(runs, { after: "ab", count: 2 })).toEqual(["b", "c"]);
  expect(firstNames(runs, { after: "", count: 1 })).toEqual(["a"]);
});
