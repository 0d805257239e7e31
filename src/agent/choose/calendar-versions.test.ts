import { describe, expect, it } from "vitest";
import { compareVersions, type Version } from "../../base/version.ts";
import { calendarVersions } from "./calendar-versions.ts";

describe("calendarVersions", () => {
  it.each([
    ["YYYY.0M.MICRO", "2024.01.0", ["2024", "01", "0"]],
    ["YYYY.0M.MICRO", "v2024.06.3-beta.2+blue", ["2024", "06", "3"]],
    ["YYYY.0M.MICRO", "2024.12.12345678901234567890", ["2024", "12", "12345678901234567890"]],
    ["YY.MM.MICRO", "6.1.2", ["6", "1", "2"]],
    ["YY.MM", "106.12", ["106", "12"]],
    ["0Y.0W", "06.53", ["06", "53"]],
    ["YYYY-MM-DD", "2024-2-31", ["2024", "2", "31"]],
    ["YYYY0M0D", "20240131", ["2024", "01", "31"]],
    ["YYYY-W0W", "2024-W05", ["2024", "05"]],
    ["YYYY.WW-MICRO", "2024.5-1", ["2024", "5", "1"]],
    ["app/YYYY(0D)", "app/2024(09)", ["2024", "09"]],
    ["YYYY.0M", "2024.01-1", ["2024", "01"]],
  ])("reads by %s the tag %s as %j", (format, tag, numbers) => {
    expect(calendarVersions(format, "--calver").parse(tag)).toMatchObject({ tag, numbers });
  });

  it("reads a pre-release and a slot after the numbers", () => {
    expect(calendarVersions("YYYY.0M.MICRO", "").parse("v2024.06.3-beta.2+blue")).toMatchObject({
      preRelease: ["beta", "2"],
      slot: "blue",
    });
  });

  it.each([
    ["YYYY.0M.MICRO", "2024.13.0"],
    ["YYYY.0M.MICRO", "2024.1.0"],
    ["YYYY.0M.MICRO", "v1.2.3"],
    ["YYYY.0M.MICRO", "2024x01x0"],
    ["YYYY.0M.MICRO", "2024.01.0.1"],
    ["YYYY.MM.DD", "2024.01.5"],
    ["YYYY.MM.DD", "2024.1.32"],
    ["YYYY.WW", "2024.54"],
    ["YYYY.MM", "latest"],
    ["0Y.MM", "6.1"],
  ])("takes by %s the tag %s for no version", (format, tag) => {
    expect(calendarVersions(format, "").parse(tag)).toBeUndefined();
  });

  it.each([[""], ["foo.bar"], ["yyyy.MICR"]])("refuses the format %j, and says where", (format) => {
    expect(() => calendarVersions(format, "--calver")).toThrow(
      expect.objectContaining({
        name: "ConfigError",
        message: expect.stringMatching(/^--calver: .* is not a calendar version format$/),
        hint: expect.stringContaining("YYYY.0M.MICRO"),
      }),
    );
  });

  it.each([["YYYY.0M.MICRO"], ["0Y.0W.0D"], ["YY.MM.WW.DD"], ["r-YYYY_0M"]])(
    "shows for %s a tag that it reads",
    (format) => {
      const versioning = calendarVersions(format, "");

      expect(versioning.parse(versioning.example)).toBeDefined();
    },
  );

  it("compares from left to right, by number, and pre-releases first", () => {
    const tags = [
      "2023.12.9",
      "2024.01.9-rc.1",
      "2024.01.9",
      "v2024.01.10",
      "2024.02.0-beta.2",
      "2024.02.0-beta.11",
      "2024.02.0",
    ];

    const sorted = [...tags].reverse().map(read("YYYY.0M.MICRO")).sort(compareVersions);

    expect(sorted.map(({ tag }) => tag)).toEqual(tags);
  });

  it.each([
    ["2024+01_3", undefined],
    ["2024+01_3-rc.1_blue", "blue"],
    ["2024_01_3+blue", "blue"],
  ])("knows the _ of its format in %s, although the first was taken for a +", (tag, slot) => {
    expect(read("YYYY_0M_MICRO")(tag)).toMatchObject({ tag, numbers: ["2024", "01", "3"], slot });
  });
});

function read(format: string): (tag: string) => Version {
  const versioning = calendarVersions(format, "");
  return (tag) => {
    const version = versioning.parse(tag);
    if (!version) throw new Error(`no version: ${tag}`);
    return version;
  };
}
