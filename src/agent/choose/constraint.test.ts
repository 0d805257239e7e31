import fc from "fast-check";
import satisfies from "semver/functions/satisfies.js";
import { describe, expect, it } from "vitest";
import { semanticVersions, type Version } from "../../base/version.ts";
import { readConstraint } from "./constraint.ts";

describe("readConstraint", () => {
  it.each([
    ["^1.2", "v1.2.0 1.2.3+blue 1.10.0 1.3.0-rc.1 1.2.0-rc.1", "1.1.9 2.0.0 2.0.0-rc.1"],
    ["~1.2.3", "1.2.3 1.2.10", "1.2.2 1.3.0 1.3.0-rc.1"],
    [">=1.2 <2", "1.2.0 1.99.0", "2.0.0 2.0.0-rc.1 1.1.0"],
    [">=1.2, <2", "1.2.0", "2.0.0"],
    [" >= 1.2   < 2 ", "1.2.0", "2.0.0"],
    [">=1.2.0", "1.2.0 1.3.0-rc.1 2.0.0-rc.1", "1.2.0-rc.1"],
    ["1.x", "1.0.0 1.9.0", "0.9.0 2.0.0"],
    ["1.2.3 - 2.3", "1.2.3 1.2.3-rc.1 2.3.9", "1.2.2 2.4.0 2.4.0-rc.1"],
    ["1 || 3", "1.0.0 3.5.0", "2.0.0 4.0.0"],
    ["*", "0.0.1 9.9.9 1.0.0-rc.1", ""],
    ["=1.2.3", "1.2.3 v1.2.3+blue", "1.2.3-rc.1 1.2.4"],
    [">1.2.3 <=1.4.0", "1.2.4 1.4.0", "1.2.3 1.4.1"],
    ["^1", "1.0.99999999999999999999", "2.0.0"],
    ["<1.0.9007199254740000", "1.0.5", "1.0.99999999999999999998"],
    ["^0.3.1", "0.3.2", "0.4.0 0.3.0"],
  ])("holds by %s the versions %s, and not %s", async (text, inside, outside) => {
    const { allows } = await readConstraint(text, "--constraint");

    expect(versions(inside).filter((version) => !allows(version))).toEqual([]);
    expect(versions(outside).filter((version) => allows(version))).toEqual([]);
  });

  it("holds what npm's own comparison does, where the numbers are small enough for it", async () => {
    const part = fc.integer({ min: 0, max: 3 });
    const suffix = fc.constantFrom("", "-0", "-rc.1", "-rc.2", "-1.a");
    const version = fc
      .tuple(part, part, part, suffix)
      .map(([major, minor, patch, rest]) => `${major}.${minor}.${patch}${rest}`);
    const operator = fc.constantFrom("", "^", "~", ">", ">=", "<", "<=", "=");
    const bound = fc.tuple(operator, version).map((parts) => parts.join(""));
    const bounds = fc.array(bound, { minLength: 1, maxLength: 2 });

    await fc.assert(
      fc.asyncProperty(bounds, version, async (wanted, tag) => {
        const range = wanted.join(" ");
        const { allows } = await readConstraint(range, "");
        const expected = satisfies(tag, range, { includePrerelease: true });
        expect([range, tag, versions(tag).every(allows)]).toEqual([range, tag, expected]);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["latest"],
    ["1.2.3.4"],
    [""],
    ["  "],
    ["=> 1"],
    ["^1 || nope"],
    [">=99999999999999999"],
  ])("refuses %j, and says where", async (text) => {
    await expect(readConstraint(text, "--registry: constraint")).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringMatching(/^--registry: constraint: .* is not a range of versions$/),
      hint: expect.stringContaining("^1.2"),
    });
  });
});

function versions(tags: string): Version[] {
  return tags
    .split(" ")
    .filter(Boolean)
    .map((tag) => {
      const version = semanticVersions.parse(tag);
      if (!version) throw new Error(`no version: ${tag}`);
      return version;
    });
}
