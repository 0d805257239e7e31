import { join, normalize } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkLinkTarget, parseEntryPath } from "./entry-path.ts";

const part = fc.constantFrom("..", ".", "", "a", "b", "c", "...", " ", "..a", "\\", "~");
const path = fc
  .tuple(fc.boolean(), fc.array(part, { maxLength: 7 }))
  .map(([absolute, parts]) => `${absolute ? "/" : ""}${parts.join("/")}`);

/** Where the kernel's idea of `..` and the text's part ways: links to shallower places. */
const target = fc
  .array(fc.constantFrom("..", "..", "a", "b", "c"), { minLength: 1, maxLength: 5 })
  .map((parts) => parts.join("/"));

describe("parseEntryPath", () => {
  it.each([
    ["./", []],
    ["a//b/./c/", ["a", "b", "c"]],
    ["..a/...", ["..a", "..."]],
  ])("reads %j", (name, components) => {
    expect(parseEntryPath(name, 100)).toEqual(components);
  });

  it.each([
    ["a".repeat(101), "too long"],
    ["é".repeat(51), "too long"],
    ["caf\ufffd", "not UTF-8"],
  ])("refuses %s", (name, reason) => {
    expect(() => parseEntryPath(name, 100)).toThrow(reason);
  });

  it("never accepts a name that leads out", () => {
    fc.assert(
      fc.property(fc.oneof(path, fc.string()), (name) => {
        const components = accepted(() => parseEntryPath(name, 1024));
        if (!components) return;
        const place = join("/root/release", ...components);
        expect(place === "/root/release" || place.startsWith("/root/release/")).toBe(true);
        expect(normalize(place)).toBe(place);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("checkLinkTarget", () => {
  it.each([
    [["a"], "b"],
    [["a"], "./b/c"],
    [["d", "a"], "../b"],
    [["d", "a"], ".."],
    [["d", "e", "a"], "../.././b"],
  ])("keeps %j to %s", (components, target) => {
    expect(() => checkLinkTarget(components, target)).not.toThrow();
  });

  it("lets no set of links lead out, however they are followed", () => {
    const name = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 4 });
    const links = fc.array(fc.tuple(name, fc.oneof(path, target)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(links, name, (candidates, start) => {
        const kept = new Map<string, string>();
        for (const [components, target] of candidates) {
          if (throughLink(kept, components)) continue;
          if (!accepted(() => checkLinkTarget(components, target) ?? true)) continue;
          kept.set(components.join("/"), target);
        }
        expect(leavesFrom(kept, start)).toBe(false);
      }),
      { numRuns: 3_000 },
    );
  });
});

function accepted<Result>(check: () => Result): Result | undefined {
  try {
    return check();
  } catch (error) {
    expect(error).toMatchObject({ code: "REFUSED" });
    return undefined;
  }
}

/** Whether an entry of this name would be refused: a link above it, or below it. */
function throughLink(links: Map<string, string>, components: string[]): boolean {
  const name = components.join("/");
  return [...links.keys()].some(
    (link) => name.startsWith(`${link}/`) || link.startsWith(`${name}/`),
  );
}

/** Walks as the kernel does: each component in turn, `..` from where a link has led. */
function leavesFrom(links: Map<string, string>, start: string[]): boolean {
  const todo = [...start];
  const here: string[] = [];
  for (let steps = 0; steps < 200; steps++) {
    const next = todo.shift();
    if (next === undefined) return false;
    if (next === "" || next === ".") continue;
    if (next === "..") {
      if (here.length === 0) return true;
      here.pop();
      continue;
    }
    const target = links.get([...here, next].join("/"));
    if (target === undefined) here.push(next);
    else if (target.startsWith("/")) return true;
    else todo.unshift(...target.split("/"));
  }
  return false;
}
