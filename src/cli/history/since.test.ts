import { expect, it } from "vitest";
import { ConfigError } from "../../base/errors.ts";
import { parseSince } from "./since.ts";

const now = new Date("2026-11-21T08:30:00Z");

it.each([
  ["24h", new Date("2026-11-20T08:30:00Z")],
  ["7d", new Date("2026-11-14T08:30:00Z")],
  ["1h30m", new Date("2026-11-21T07:00:00Z")],
  ["2026-11-01", new Date(2026, 10, 1)],
  ["2026-11-01T08:30Z", new Date("2026-11-01T08:30:00Z")],
  ["2026-11-01T08:30:15.5+09:00", new Date("2026-10-31T23:30:15.500Z")],
  ["2026-11-01 08:30", new Date(2026, 10, 1, 8, 30)],
])("reads %s as a time", (text, expected) => {
  expect(parseSince(text, now)).toEqual(expected);
});

it.each([
  "",
  "yesterday",
  "24",
  "2026-11",
  "2026-11-31",
  "2026-13-01",
  "2026-11-01T25:00Z",
  "-1h",
  `${"9".repeat(300)}d`,
])("refuses %j, and says what can be written", (text) => {
  expect(() => parseSince(text, now)).toThrow(ConfigError);
  expect(() => parseSince(text, now)).toThrow("--since");
});
