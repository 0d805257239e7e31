import { expect, it } from "vitest";
import { lineOf, progressBar } from "./progress-bar.ts";

it.each([
  ["pushing", 5_000_000, 60, "app.tgz  [===========            ]   50 %   5.0 of 10.0 MB"],
  ["pushing", 0, 60, "app.tgz  [                       ]    0 %   0.0 of 10.0 MB"],
  ["pushing", 5_000_000, 33, "app.tgz   50 %   5.0 of 10.0 MB"],
  ["present", 0, 60, "app.tgz  10.0 MB, already there"],
  ["pushed", 10_000_000, 60, "app.tgz  10.0 MB"],
] as const)("draws %s at %i bytes on %i columns", (step, sent, columns, expected) => {
  expect(lineOf("app.tgz", step, sent, 10_000_000, columns)).toBe(expected);
});

it("writes nothing where nobody is looking", () => {
  const bar = progressBar(undefined);

  expect(() => {
    bar.show("app.tgz", "pushed", 1, 1);
    bar.clear();
  }).not.toThrow();
});

it("keeps a line for each file that is done, and none for the one on its way", () => {
  let screen = "";
  const bar = progressBar({ columns: 60, write: (text) => (screen += text) });

  bar.show("app.tgz", "pushing", 1, 10);
  bar.show("app.tgz", "pushed", 10, 10);
  bar.clear();

  const lines = screen.split("\n").map((line) => line.split("\u001b[2K").at(-1));
  expect(lines).toEqual(["app.tgz  0.0 MB", ""]);
});
