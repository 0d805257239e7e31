import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { ConfigError } from "../../base/errors.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { fakeApp } from "./app-options.fake.ts";
import { reloadFrom } from "./reload.ts";

const soon = { timeout: 10_000 };

it("hands over the apps in a file that has changed, and nothing of one that is refused", async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-reload-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const path = join(directory, "dewy.yaml");
  await writeFile(path, "web");
  const logger = new FakeLogger();
  const parts = { clock: systemClock, logger, before: "web" };
  const reloads: string[][] = [];

  const stop = reloadFrom(path, parse, parts)((apps) => reloads.push(apps.map(({ name }) => name)));
  onTestFinished(stop);
  await writeFile(path, "broken");
  await vi.waitFor(() => expect(logger.messages("error")).toHaveLength(1), soon);
  await writeFile(path, "web api");
  await vi.waitFor(() => expect(reloads).toEqual([["web", "api"]]), soon);

  expect(logger.lines.map(({ fields }) => String(fields.error))).toEqual([
    "ConfigError: it is broken",
  ]);
});

async function parse(text: string) {
  if (text === "broken") throw new ConfigError("it is broken");
  return text.split(" ").map((name) => fakeApp(name));
}
