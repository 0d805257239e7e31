import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { FakeLogger } from "./logger.fake.ts";
import { openServiceManager, withoutServiceManager } from "./systemd-notify.ts";

it("is there only when a service manager wants to be told", () => {
  expect(openServiceManager({}, { logger: new FakeLogger() })).toBeUndefined();
});

it("sends what is told in one turn as one message, and later words after it", async () => {
  const { program, written } = await recorder();
  const manager = openServiceManager(inEnvironment, { logger: new FakeLogger(), program });

  manager?.notify({ READY: "1" });
  manager?.notify({ STATUS: "first" });
  manager?.notify({ STATUS: "a\nREADY=0" });
  await manager?.settled();
  manager?.notify({ STOPPING: "1" });
  await manager?.settled();

  expect(await written()).toEqual([
    "/run/notify READY=1 STATUS=a READY=0 secret=",
    "/run/notify STOPPING=1 secret=",
  ]);
});

it.each([
  ["is not there", "/nonexistent/systemd-notify", "is not on PATH"],
  ["fails", "false", "the message was not taken"],
])("warns once when the program %s, and goes on", async (_how, program, reason) => {
  const logger = new FakeLogger();
  const manager = openServiceManager(inEnvironment, { logger, program });

  for (let count = 0; count < 3; count++) {
    manager?.notify({ WATCHDOG: "1" });
    await manager?.settled();
  }

  expect(logger.lines).toMatchObject([
    { level: "warn", fields: { reason: expect.stringContaining(reason) } },
  ]);
});

it.each([
  [{ WATCHDOG_USEC: "30000000" }, 30_000],
  [{ WATCHDOG_USEC: "30000000", WATCHDOG_PID: String(process.pid) }, 30_000],
  [{ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "1" }, undefined],
  [{ WATCHDOG_USEC: "soon" }, undefined],
  [{ WATCHDOG_USEC: "0" }, undefined],
  [{}, undefined],
])("reads %j as a watchdog of %s ms", (variables, expected) => {
  const environment = { ...inEnvironment, ...variables };

  expect(openServiceManager(environment, { logger: new FakeLogger() })?.watchdogMs).toBe(expected);
});

it("keeps what systemd says to this process from its children", () => {
  const environment = { A: "1", NOTIFY_SOCKET: "s", WATCHDOG_PID: "1", WATCHDOG_USEC: "1" };

  expect(withoutServiceManager(environment)).toEqual({ A: "1" });
});

const inEnvironment = { NOTIFY_SOCKET: "/run/notify", PATH: process.env.PATH, SECRET: "hunter22" };

/** A program that writes a line about each time it was run. */
async function recorder() {
  const directory = await mkdtemp(join(tmpdir(), "dewy-notify-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const program = join(directory, "notify");
  const log = join(directory, "log");
  const script = `#!/bin/sh\necho "$NOTIFY_SOCKET $* secret=$SECRET" >> '${log}'\n`;
  await writeFile(program, script);
  await chmod(program, 0o755);
  const written = async () => (await readFile(log, "utf8")).trimEnd().split("\n");
  return { program, written };
}
