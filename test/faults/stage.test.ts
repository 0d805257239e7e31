import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { endLeftIn, until } from "../../bench/stage.ts";

it("is left by nobody who still makes files there", async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-left-"));
  for (const name of ["one", "two", "three", "four"]) {
    const script = `while :; do : > ${name}; rm ${name}; done`;
    spawn("/bin/sh", ["-c", script], { cwd: directory, stdio: "ignore" });
  }
  await until("somebody is at it", async () => (await readdir(directory)).length > 0);

  await endLeftIn(directory);

  await rm(directory, { recursive: true });
  await expect(readdir(directory)).rejects.toMatchObject({ code: "ENOENT" });
});
