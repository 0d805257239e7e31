import { describe, expect, it } from "vitest";
import { ConfigError } from "../../base/errors.ts";
import { isOpen, nextOpening, parseWindow } from "./window.ts";

describe("a window", () => {
  it.each([
    ["Mon-Thu 10:00-16:00 Asia/Tokyo", "2026-11-30T01:00:00Z", true],
    ["Mon-Thu 10:00-16:00 Asia/Tokyo", "2026-11-30T00:59:00Z", false],
    ["Mon-Thu 10:00-16:00 Asia/Tokyo", "2026-11-30T07:00:00Z", false],
    ["Mon-Thu 10:00-16:00 Asia/Tokyo", "2026-12-04T02:00:00Z", false],
    ["sat,sun 00:00-24:00", "2026-11-29T23:59:00Z", true],
    ["Fri-Mon 09:00-10:00", "2026-11-29T09:30:00Z", true],
    ["22:00-04:00", "2026-11-29T03:59:00Z", true],
    ["Sat 22:00-04:00", "2026-11-29T03:00:00Z", true],
    ["Sat 22:00-04:00", "2026-11-28T03:00:00Z", false],
    ["09:00-10:00 Europe/Berlin", "2026-07-01T07:30:00Z", true],
    ["09:00-10:00 Europe/Berlin", "2026-12-01T07:30:00Z", false],
    ["09:00-10:00 Europe/Berlin", "2026-12-01T08:30:00Z", true],
  ])("%s at %s is open: %s", (text, at, expected) => {
    expect(isOpen(parseWindow(text), new Date(at))).toBe(expected);
  });

  it.each([
    [["Mon-Thu 10:00-16:00 Asia/Tokyo"], "2026-12-03T08:00:00Z", "2026-12-07T01:00:00.000Z"],
    [["Sun 03:00-04:00", "12:00-13:00"], "2026-11-28T13:00:00Z", "2026-11-29T03:00:00.000Z"],
    // The clocks of Berlin go from 2:00 to 3:00 on that day.
    [["02:30-03:30 Europe/Berlin"], "2026-03-29T00:45:00Z", "2026-03-29T01:00:00.000Z"],
  ])("%j opens next after %s at %s", (texts, now, expected) => {
    expect(nextOpening(texts.map(parseWindow), new Date(now))?.toISOString()).toBe(expected);
  });

  it.each(["", "always", "Mon", "Mon 10:00", "Moo 10:00-11:00", "10:00-10:00", "10:60-11:00"])(
    "refuses %j, and says how to write it",
    (text) => {
      expect(() => parseWindow(text)).toThrow(ConfigError);
    },
  );

  it("refuses a zone and a time that do not exist", () => {
    expect(() => parseWindow("10:00-11:00 Asia/Atlantis")).toThrow("no time zone Asia/Atlantis");
    expect(() => parseWindow("10:00-25:00")).toThrow("there is no such time");
  });
});
