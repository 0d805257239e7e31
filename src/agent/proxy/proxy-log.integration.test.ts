import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { until } from "./backends.fake.ts";
import { aPlace, opened, pidOf, program } from "./built-in.fake.ts";
import { openBuiltIn } from "./built-in.ts";

it("tells why the process that carries the traffic does not start", async ({ signal }) => {
  const { options } = await aPlace();
  const bad = join(options.directory, "bad.mjs");
  await writeFile(bad, 'throw new Error("no luck today");');

  await expect(opened({ ...options, program: bad }, signal)).rejects.toMatchObject({
    message: "the proxy could not be started: it ended with status 1: Error: no luck today",
  });
});

it("tells what it wrote last before it ended", async ({ signal }) => {
  const { options } = await aPlace();
  const talking = join(options.directory, "talking.mjs");
  await writeFile(talking, `console.error("these words"); await import("${program}");`);
  const logger = new FakeLogger();
  const parts = { logger, clock: systemClock };
  const plane = await openBuiltIn({ ...options, program: talking }, parts, { signal });
  onTestFinished(() => plane.close({ keep: false }));

  process.kill(await pidOf(options), "SIGKILL");

  await until(() => logger.messages("error").length > 0);
  expect(logger.lines.find(({ level }) => level === "error")?.fields).toEqual({
    lastWords: "these words",
  });
});
