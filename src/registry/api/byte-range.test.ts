import { expect, it } from "vitest";
import { parseContentRange, parseRange } from "./byte-range.ts";

it.each([
  ["bytes=0-0", { from: 0, to: 1 }],
  ["bytes=500-1499", { from: 500, to: 1500 }],
  ["bytes=500-", { from: 500, to: 2048 }],
  ["bytes=-500", { from: 1548, to: 2048 }],
  ["bytes=-9999", { from: 0, to: 2048 }],
  ["bytes=2000-5000", { from: 2000, to: 2048 }],
  ["bytes=500-0", "unsatisfiable"],
  ["bytes=5000-10000", "unsatisfiable"],
  ["bytes=2048-", "unsatisfiable"],
  ["bytes=-0", "unsatisfiable"],
  ["bytes=99999999999999999999-", "unsatisfiable"],
  ["bytes=0-1,4-5", undefined],
  ["bytes=-", undefined],
  ["bytes=a-b", undefined],
  ["lines=1-2", undefined],
  [undefined, undefined],
])("reads Range %j of 2048 bytes", (header, expected) => {
  expect(parseRange(header, 2048)).toEqual(expected);
});

it.each(["0-9", "bytes 0-9/*", "bytes 0-9/100", "bytes=0-9"])(
  "reads Content-Range %j",
  (header) => {
    expect(parseContentRange(header, "10")).toEqual({ from: 0, to: 10 });
  },
);

it.each([
  ["0-9", "11", "SIZE_INVALID"],
  ["9-0", "10", "SIZE_INVALID"],
  ["", "10", "RANGE_INVALID"],
  ["0-", "10", "RANGE_INVALID"],
  ["-1-9", "10", "RANGE_INVALID"],
  ["0-9 or so", "10", "RANGE_INVALID"],
  [`0-${"9".repeat(40)}`, "10", "RANGE_INVALID"],
])("refuses Content-Range %j with Content-Length %s", (header, length, code) => {
  expect(() => parseContentRange(header, length)).toThrow(expect.objectContaining({ code }));
});
