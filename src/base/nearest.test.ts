import { expect, it } from "vitest";
import { nearest } from "./nearest.ts";

it.each([
  ["prerelease", "pre-release"],
  ["pre_release", "pre-release"],
  ["artefact", "artifact"],
  ["artifct", "artifact"],
  ["region", undefined],
  ["", undefined],
])("takes %s for %s", (word, expected) => {
  expect(nearest(word, ["pre-release", "artifact"])).toBe(expected);
});
