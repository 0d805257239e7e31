import { describe, expect, it } from "vitest";
import { compareVersions, semanticVersions, type Version } from "./version.ts";

describe("semanticVersions", () => {
  it.each([
    ["1.2.3", undefined, []],
    ["v1.2.3", undefined, []],
    ["v1.2.300", undefined, []],
    ["v01.2.3", undefined, []],
    ["v1.2.3+blue", "blue", []],
    ["v1.2.3+build.123", "build.123", []],
    ["v1.2.3-rc.1+blue", "blue", ["rc", "1"]],
    ["v1.2.3-x-y", undefined, ["x-y"]],
  ])("reads %s: slot %s, pre-release %j", (tag, slot, preRelease) => {
    expect(semanticVersions.parse(tag)).toMatchObject({ tag, slot, preRelease });
  });

  it.each(["v8", "12.3", "abcdefg-10", "V1.2.3", "v1.2.3.4", "v1.2.3rc1", "", "latest", "v1.2.3-"])(
    "takes %j for no version",
    (tag) => {
      expect(semanticVersions.parse(tag)).toBeUndefined();
    },
  );
});

describe("compareVersions", () => {
  it("orders as Semantic Versioning does", () => {
    const tags = [
      "v0.9.9",
      "1.0.0-1",
      "1.0.0-alpha",
      "v1.0.0-alpha.1",
      "1.0.0-alpha.beta",
      "1.0.0-beta",
      "1.0.0-beta.2",
      "1.0.0-beta.11",
      "v1.0.0-rc.1",
      "1.0.0",
      "v1.0.1",
      "1.2.0",
      "v1.10.0",
      "2.0.0-99999999999999999998",
      "2.0.0-99999999999999999999",
    ];

    const sorted = [...tags].reverse().map(version).sort(compareVersions);

    expect(sorted.map(({ tag }) => tag)).toEqual(tags);
  });

  it("does not let a slot or a v decide", () => {
    expect(compareVersions(version("v1.0.0+blue"), version("1.0.0+green"))).toBe(0);
  });
});

function version(tag: string): Version {
  const parsed = semanticVersions.parse(tag);
  if (!parsed) throw new Error(`no version: ${tag}`);
  return parsed;
}
