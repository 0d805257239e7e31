import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { messageOf, systemCodeOf } from "./errors.ts";
import { readSettingsFile } from "./settings-file.ts";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "dewy-settings-"));
});
afterEach(() => rm(directory, { recursive: true }));

it("reads a file", async () => {
  const path = join(directory, "file");
  await writeFile(path, "text");

  expect((await readSettingsFile(path)).toString()).toBe("text");
});

it("waits for nobody to write to a pipe", async () => {
  const path = join(directory, "pipe");
  execFileSync("mkfifo", [path]);

  await expect(readSettingsFile(path)).rejects.toThrow("it is a pipe");
});

it("reads neither a directory nor a device without an end", async () => {
  await expect(readSettingsFile(directory)).rejects.toThrow("it is a directory");
  await expect(readSettingsFile("/dev/zero")).rejects.toThrow("it is no file");
});

it("leaves it to the caller to name the file", async () => {
  const failure = await readSettingsFile(join(directory, "none")).catch((error: unknown) => error);

  expect(messageOf(failure)).toBe("ENOENT: no such file or directory");
  expect(systemCodeOf(failure)).toBe("ENOENT");
});
