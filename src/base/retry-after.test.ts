import { expect, it } from "vitest";
import { retryAfterMs } from "./retry-after.ts";

it.each([
  [undefined, undefined],
  ["", undefined],
  ["120", 120_000],
  ["0", 0],
  ["Thu, 01 Jan 2026 00:01:00 GMT", 60_000],
  ["Thu, 01 Jan 2025 00:01:00 GMT", 0],
  ["soon", undefined],
])("reads Retry-After: %s as %s", (text, expected) => {
  expect(retryAfterMs({ "retry-after": text }, new Date("2026-01-01T00:00:00Z"))).toBe(expected);
});
