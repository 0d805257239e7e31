import { expect, it } from "vitest";
import { hasMoreValues } from "./json-values.ts";

it.each([
  ["[1,2,3,4,5]", 5, false],
  ["[1,2,3,4,5]", 4, true],
  ["[[[[[[[[[[]]]]]]]]]]", 9, true],
  ['{"a":{},"b":{}}', 3, true],
  ['{"a":",,,,[[[[{{{{"}', 1, false],
  ['{"a":"\\",,,,,,\\\\",', 2, false],
  ['{"a":"\\",,,,,,\\\\",,', 2, true],
])("counts what is in %s: more than %i is %s", (text, most, expected) => {
  expect(hasMoreValues(Buffer.from(text), most)).toBe(expected);
});
