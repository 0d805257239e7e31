import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { bufferedOutput } from "./buffered-output.ts";

it("writes lines behind its callers, within a moment, and the rest when it is closed", async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-output-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const path = join(directory, "log");
  const file = await open(path, "a");
  onTestFinished(() => file.close());
  const output = bufferedOutput(file.fd);

  output.write("1\n");
  await vi.waitFor(async () => expect(await readFile(path, "utf8")).toBe("1\n"));
  const lines = Array.from({ length: 5_000 }, (_, index) => `${index}\n`);
  for (const line of lines) output.write(line);
  await output.close();

  expect(await readFile(path, "utf8")).toBe(`1\n${lines.join("")}`);
});

it("goes on where nobody takes its lines", async () => {
  const full = await open("/dev/full", "w");
  onTestFinished(() => full.close());
  const output = bufferedOutput(full.fd);

  for (let index = 0; index < 100; index++) output.write("x".repeat(40_000));

  await expect(output.close()).resolves.toBeUndefined();
});
