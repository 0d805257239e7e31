import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { EarlySync } from "./early-sync.ts";

const mebibyte = 1024 ** 2;

it("tells at the end that the medium did not take what was written", async () => {
  const early = new EarlySync(-1, "/data", 0);

  early.upTo(8 * mebibyte);

  await expect(early.end()).rejects.toMatchObject({ code: "UNAVAILABLE" });
});

it("asks for nothing until there are a few megabytes", async () => {
  const early = new EarlySync(-1, "/data", 100 * mebibyte);

  early.upTo(101 * mebibyte);

  await early.end();
});

it("ends when the medium has it", async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-early-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const file = await open(join(directory, "data"), "w");
  const early = new EarlySync(file.fd, "/data", 0);

  for (let megabytes = 4; megabytes <= 16; megabytes += 4) early.upTo(megabytes * mebibyte);

  await early.end();
  await file.close();
});
