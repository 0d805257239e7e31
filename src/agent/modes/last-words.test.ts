import { expect, it } from "vitest";
import { startFailure } from "../supervisor/worker-exit.ts";
import { withLastWords } from "./last-words.ts";

it.each([
  {
    what: "wrote nothing",
    words: { lines: [], areAll: true },
    hint: /^it wrote nothing: start it by hand/,
  },
  {
    what: "may have written what was not read yet",
    words: { lines: [], areAll: false },
    hint: /^dewy logs shows/,
  },
  {
    what: "said why",
    words: { lines: ["no database"], areAll: true },
    hint: /^dewy logs shows/,
  },
  { what: "is not read", words: undefined, hint: /^what it wrote is in the output of dewy/ },
])("says where to look for an app that $what", ({ words, hint }) => {
  const failure = startFailure("current/app", { status: 1, signal: null }, 100);

  const told = withLastWords(failure, words);

  expect(told).toMatchObject({ code: "START_FAILED", logTail: words?.lines ?? [] });
  expect(told).toHaveProperty("hint", expect.stringMatching(hint));
});

it("leaves alone what is not of the app", () => {
  const error = new Error("told to stop");

  expect(withLastWords(error, { lines: ["why"], areAll: true })).toBe(error);
});
