import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { mostConnections, tooFewOpenFiles } from "./open-files.ts";

it.each([
  ["127", "this process may have 127 files open, and needs 128: raise the limit"],
  ["128", undefined],
  ["unlimited", undefined],
])("says of a limit of %s: %s", async (limit, sentence) => {
  const found = tooFewOpenFiles(await limitsOf(limit));

  if (sentence === undefined) expect(found).toBeUndefined();
  else expect(found).toContain(sentence);
});

it.each([
  ["64", 16],
  ["1024", 448],
  ["1048576", 524_224],
  ["unlimited", undefined],
])("leaves files for what is asked, of a limit of %s: %s connections", async (limit, expected) => {
  expect(mostConnections(await limitsOf(limit))).toBe(expected);
});

it("says nothing where no system tells", () => {
  expect(tooFewOpenFiles("/nonexistent")).toBeUndefined();
});

async function limitsOf(limit: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-limits-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const path = join(directory, "limits");
  await writeFile(path, `Max processes  1 1 processes\nMax open files   ${limit}   4096   files\n`);
  return path;
}
