import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { checkMayWrite } from "./may-write.ts";

it("is content with what is there and with what can be made, and makes nothing", async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-may-write-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));

  await checkMayWrite(directory);
  await checkMayWrite(join(directory, "a", "b"));

  expect(await readdir(directory)).toEqual([]);
});

it("refuses what is below a file, a file itself, and what the system keeps", async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-may-write-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, "file");
  await writeFile(file, "", { mode: 0o777 });

  await expect(checkMayWrite(file)).rejects.toMatchObject({ code: "ENOTDIR" });
  await expect(checkMayWrite(join(file, "below"))).rejects.toMatchObject({ code: "ENOTDIR" });
});
