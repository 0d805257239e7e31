import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import type { Replacement } from "./candidate.ts";
import { directoryWithApp, supervisorIn, until, writeScript } from "./sample-app.fake.ts";
import type { Supervisor } from "./supervisor.ts";

describe("a committed worker that dies", () => {
  it("is started again, and the log says how it died", async ({ signal }) => {
    const { supervisor, clock, logger } = await sleeping();
    const { pid } = await committed(supervisor, clock, signal);

    process.kill(pid, "SIGKILL");
    await until(() => clock.sleeping === 1);
    expect(supervisor.running).toBeUndefined();
    await clock.advance(1_000);
    await until(() => supervisor.running);

    expect(supervisor.running?.generation).toBe(2);
    expect(logger.lines.find(({ level }) => level === "error")).toMatchObject({
      message: "The app died",
      fields: { how: "was ended by SIGKILL", signal: "SIGKILL", generation: 1, pid },
    });
  });

  it("waits longer each time, until it has been up for a minute", async ({ signal }) => {
    const { supervisor, clock } = await sleeping();
    await committed(supervisor, clock, signal);

    const waits: number[] = [];
    for (let deaths = 1; deaths <= 8; deaths++) waits.push(await waitAfterDeath());
    await clock.advance(60_000);
    const afterMinute = await waitAfterDeath();

    for (const [index, ms] of waits.entries()) {
      const ceiling = Math.min(60_000, 1_000 * 2 ** index);
      expect(ms).toBeGreaterThanOrEqual(ceiling / 2);
      expect(ms).toBeLessThanOrEqual(ceiling + stepMs);
    }
    expect(afterMinute).toBeLessThanOrEqual(1_000 + stepMs);

    async function waitAfterDeath(): Promise<number> {
      const before = supervisor.running?.generation ?? 0;
      process.kill(supervisor.running?.pid ?? Number.NaN, "SIGKILL");
      await until(() => clock.sleeping === 1);
      const from = clock.now().getTime();
      while (clock.sleeping === 1) await clock.advance(stepMs);
      const waited = clock.now().getTime() - from;
      await until(() => (supervisor.running?.generation ?? 0) > before);
      return waited;
    }
  });

  it("is tried again when its command is missing for a while", async ({ signal }) => {
    const { supervisor, clock, logger, directory } = await sleeping();
    const { pid } = await committed(supervisor, clock, signal);
    await rm(join(directory, "app"));

    process.kill(pid, "SIGKILL");
    await until(() => clock.sleeping === 1);
    await clock.advance(1_000);
    await until(() => logger.messages("error").includes("The app cannot be started again"));
    await until(() => clock.sleeping === 1);
    await writeScript(directory, "app", "exec sleep 60");
    await clock.advance(2_000);
    await until(() => supervisor.running);

    expect(supervisor.running?.pid).not.toBe(pid);
  });

  it("is not started again when a newer one is committed meanwhile", async ({ signal }) => {
    const { supervisor, clock, logger } = await sleeping();
    const first = await committed(supervisor, clock, signal);
    process.kill(first.pid, "SIGKILL");
    await until(() => clock.sleeping === 1);

    const second = await committed(supervisor, clock, signal);

    await until(() => clock.sleeping === 0);
    expect(supervisor.running?.pid).toBe(second.pid);
    expect(logger.messages("warn")).toEqual([]);
  });

  it("stays down while a newer one is on probation, and comes back when that is undone", async ({
    signal,
  }) => {
    const { supervisor, clock, directory } = await sleeping();
    const first = await committed(supervisor, clock, signal);
    await until(async () => (await startedIn(directory)).length === 1);
    await writeFile(join(directory, "version"), "2");
    const second = await started(supervisor, clock, signal);

    process.kill(first.pid, "SIGKILL");
    await until(() => supervisor.running === undefined && clock.sleeping === 1);
    await clock.advance(60_000);
    const third = await started(supervisor, clock, signal);
    await until(async () => (await startedIn(directory)).length === 3);
    expect(supervisor.running).toBeUndefined();
    await writeFile(join(directory, "version"), "1");
    await Promise.all([second.undo(), third.undo()]);
    await until(async () => (await startedIn(directory)).length === 4);

    expect([second.generation, third.generation]).toEqual([2, 3]);
    await until(() => supervisor.running?.generation === 4);
    expect(await startedIn(directory)).toEqual(["1", "2", "2", "1"]);
  });

  it("is not started again once the app is being stopped", async ({ signal }) => {
    const { supervisor, clock, logger } = await sleeping();
    const { pid } = await committed(supervisor, clock, signal);
    process.kill(pid, "SIGKILL");
    await until(() => clock.sleeping === 1);

    await supervisor.stop();

    expect(clock.sleeping).toBe(0);
    expect(supervisor.running).toBeUndefined();
    expect(logger.messages("error")).toEqual(["The app died"]);
  });
});

describe("a first worker that does not come up", () => {
  it("is tried again until it does", async ({ signal }) => {
    const { supervisor, clock, logger, directory } = await sleeping();
    await rm(join(directory, "app"));
    await expect(supervisor.start({ signal })).rejects.toMatchObject({ code: "COMMAND_NOT_FOUND" });

    supervisor.keepTrying();
    await until(() => clock.sleeping === 1);
    await clock.advance(1_000);
    await until(() => logger.messages("error").includes("The app cannot be started again"));
    await until(() => clock.sleeping === 1);
    await writeScript(directory, "app", "exec sleep 60");
    await clock.advance(2_000);

    await until(() => supervisor.running);
  });

  it("makes room for another that is committed meanwhile", async ({ signal }) => {
    const { supervisor, clock } = await sleeping();

    supervisor.keepTrying();
    await until(() => clock.sleeping === 1);
    const newer = await committed(supervisor, clock, signal);

    await until(() => clock.sleeping === 0);
    expect(supervisor.running?.pid).toBe(newer.pid);
  });
});

const stepMs = 100;

/**
 * An app that notes the version it was started as, and sleeps. It has no children, for one that
 * outlived it would be waited for by the clock, too.
 */
async function sleeping() {
  const directory = await directoryWithApp();
  const clock = new FakeClock();
  const logger = new FakeLogger();
  await writeFile(join(directory, "version"), "1");
  await writeScript(directory, "app", "read it <version; echo $it >>started; exec sleep 60");
  const options = { command: ["./app"] as const, minimumUptimeMs: 500, clock, logger };
  return { supervisor: await supervisorIn(directory, options), clock, logger, directory };
}

async function startedIn(directory: string): Promise<string[]> {
  const text = await readFile(join(directory, "started"), "utf8").catch(() => "");
  return text.split("\n").filter(Boolean);
}

async function started(
  supervisor: Supervisor,
  clock: FakeClock,
  signal: AbortSignal,
): Promise<Replacement> {
  const before = clock.sleeping;
  const start = supervisor.start({ signal });
  await until(() => clock.sleeping > before);
  await clock.advance(500);
  return start;
}

async function committed(...given: Parameters<typeof started>): Promise<Replacement> {
  const replacement = await started(...given);
  replacement.commit();
  return replacement;
}
