import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { built } from "../../bench/stage.ts";

/** Opened before the program begins: a pipe that nobody writes to is as good as a disk that hangs. */
it("ends although a file system does not answer, and says so", { timeout: 60_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-stuck-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  execFileSync("mkfifo", [join(directory, "pipe")]);
  const opening = join(directory, "opening.mjs");
  const path = JSON.stringify(join(directory, "pipe"));
  await writeFile(opening, `import { open } from "node:fs"; open(${path}, "r", () => {});`);

  const ended = await new Promise<{ signal: string | null; stderr: string }>((resolve) => {
    let stderr = "";
    const child = spawn(process.execPath, ["--import", opening, built("src/main.js"), "--version"]);
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("close", (_, signal) => resolve({ signal, stderr }));
  });

  expect(ended.signal).toBe("SIGKILL");
  expect(ended.stderr).toMatch(/^dewy: killed itself, as .* does not answer\n$/);
});
