import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { tooFewOpenFiles } from "./open-files.ts";

it.each([
  ["127", "this process may have 127 files open, and needs 128: raise the limit"],
  ["128", undefined],
  ["unlimited", undefined],
])("says of a limit of %s: %s", async (limit, sentence) => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-limits-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const path = join(directory, "limits");
  await writeFile(path, `Max processes  1 1 processes\nMax open files   ${limit}   4096   files\n`);

  const found = tooFewOpenFiles(path);

  if (sentence === undefined) expect(found).toBeUndefined();
  else expect(found).toContain(sentence);
});

it("says nothing where no system tells", () => {
  expect(tooFewOpenFiles("/nonexistent")).toBeUndefined();
});
