import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { planned } from "../main.fake.ts";

it("says that nobody is told of anything, where the config names no endpoint", async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-replay-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const text = `version: 0.1\nstorage: {filesystem: {rootdirectory: ${directory}}}\n`;
  await writeFile(join(directory, "config.yml"), text);

  const answer = await planned(["registry", "replay", "config.yml"], { directory });

  expect(answer).toMatchObject({ status: 0, printed: ["notifications.endpoints: there is none"] });
});
