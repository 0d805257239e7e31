import { readFile, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FakeLogger } from "../../base/logger.fake.ts";
import { silentLogger } from "../../base/logger.ts";
import { identityOf } from "../../base/process-identity.ts";
import type { Replacement } from "./candidate.ts";
import {
  ask,
  directoryWithApp,
  FakeRecord,
  Load,
  listenersOn,
  supervisorIn,
  until,
  writeScript,
} from "./sample-app.fake.ts";
import type { Supervisor } from "./supervisor.ts";

const logger = silentLogger;

describe("a replaced process", () => {
  it.each([
    ["kept-alive connections", true],
    ["a connection for each request", false],
  ])("loses no request, with %s", async (_name, keepAlive) => {
    const { signal } = new AbortController();
    const listeners = await listenersOn(1, signal);
    const supervisor = await supervisorIn(await directoryWithApp(), { listeners, logger });
    (await supervisor.start({ signal })).commit();
    const load = new Load(portOf(listeners), { keepAlive, lanes: 16 });

    await until(() => load.answers.has("1"));
    for (const generation of ["2", "3", "4", "5"]) {
      (await supervisor.start({ signal })).commit();
      await until(() => load.answers.has(generation));
    }
    await load.stop();

    expect(load.failures).toEqual([]);
    expect([...load.answers.values()].reduce((a, b) => a + b, 0)).toBeGreaterThan(100);
    expect([...load.answers.keys()].sort()).toEqual(["1", "2", "3", "4", "5"]);
  });

  it("finishes a long request while three newer generations take over", async ({ signal }) => {
    const listeners = await listenersOn(1, signal);
    const supervisor = await supervisorIn(await directoryWithApp(), { listeners, logger });
    (await supervisor.start({ signal })).commit();
    let answered = false;
    await until(() => ask(portOf(listeners)));
    const long = ask(portOf(listeners), "/?delay=2500").finally(() => {
      answered = true;
    });

    for (let count = 0; count < 3; count++) (await supervisor.start({ signal })).commit();

    expect(answered).toBe(false);
    expect(supervisor.running?.generation).toBe(4);
    await until(async () => (await ask(portOf(listeners))) === "4");
    expect(await long).toBe("1");
  });

  it("goes on serving both beside each other until somebody decides", async ({ signal }) => {
    const listeners = await listenersOn(1, signal);
    const supervisor = await supervisorIn(await directoryWithApp(), { listeners, logger });
    const first = await committed(supervisor, signal);

    const second = await supervisor.start({ signal });
    expect(supervisor.running?.pid).toBe(first.pid);
    await second.undo();

    expect(supervisor.running?.pid).toBe(first.pid);
    expect(await identityOf(second.pid)).toBeUndefined();
    expect(await ask(portOf(listeners))).toBe("1");
    expect(() => second.commit()).toThrow(expect.objectContaining({ code: "STOPPED" }));
    expect(await second.failed).toBeUndefined();
  });

  it("takes the place of every older one, also of those nobody has decided about", async ({
    signal,
  }) => {
    const record = new FakeRecord();
    const directory = await directoryWithApp();
    const supervisor = await supervisorIn(directory, { command: sleeper, record, logger });
    await committed(supervisor, signal);
    const [second, third] = await Promise.all([
      supervisor.start({ signal }),
      supervisor.start({ signal }),
    ]);

    third.commit();

    expect([second.generation, third.generation]).toEqual([2, 3]);
    expect(await second.failed).toBeUndefined();
    expect(() => second.commit()).toThrow(expect.objectContaining({ code: "STOPPED" }));
    await until(() => record.workers.length === 1);
    expect(record.workers[0]?.pid).toBe(supervisor.running?.pid);
  });

  it("runs what the command leads to at that time", async ({ signal }) => {
    const directory = await directoryWithApp();
    await writeScript(directory, "v1", "echo v1 >> started; exec sleep 60");
    await writeScript(directory, "v2", "echo v2 >> started; exec sleep 60");
    await symlink("v1", join(directory, "current"));
    const supervisor = await supervisorIn(directory, { command: ["./current"], logger });
    await committed(supervisor, signal);

    await textOf(join(directory, "started"));
    await unlink(join(directory, "current"));
    await symlink("v2", join(directory, "current"));
    await committed(supervisor, signal);

    await until(async () => (await textOf(join(directory, "started"))).includes("v2"));
    expect(await textOf(join(directory, "started"))).toBe("v1\nv2\n");
  });
});

describe("a generation that does not stay up", () => {
  it.each([
    ["exit 3", "ended with status 3", "dewy logs shows what it wrote"],
    ["exit 0", "ended with status 0", "keep the app in the foreground"],
    ["kill -SEGV $$", "was ended by SIGSEGV", "dewy logs shows what it wrote"],
  ])("fails the start and leaves the old one alone: %s", async (body, message, hint) => {
    const { signal } = new AbortController();
    const directory = await directoryWithApp();
    const record = new FakeRecord();
    await writeScript(directory, "app", "exec sleep 60");
    const options = { command: ["./app"] as const, minimumUptimeMs: 1_000, record, logger };
    const supervisor = await supervisorIn(directory, options);
    const first = await committed(supervisor, signal);

    await writeScript(directory, "app", body);
    const start = supervisor.start({ signal });

    await expect(start).rejects.toMatchObject({
      code: "START_FAILED",
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
    expect(supervisor.running?.pid).toBe(first.pid);
    expect(await identityOf(first.pid)).toBeDefined();
    await until(() => record.workers.length === 1);
  });

  it("is noticed after the start too, and cannot be committed", async ({ signal }) => {
    const supervisor = await supervisorIn(await directoryWithApp(), { command: sleeper, logger });
    const first = await committed(supervisor, signal);
    const second = await supervisor.start({ signal });

    process.kill(second.pid, "SIGKILL");

    expect(await second.failed).toMatchObject({
      code: "START_FAILED",
      message: expect.stringContaining("was ended by SIGKILL"),
    });
    expect(() => second.commit()).toThrow(expect.objectContaining({ code: "START_FAILED" }));
    expect(supervisor.running?.pid).toBe(first.pid);
  });

  it.each([
    ["./nowhere", "COMMAND_NOT_FOUND", "/nowhere"],
    ["no-such-program", "COMMAND_NOT_FOUND", "no-such-program on PATH"],
    ["./app.mjs", "NOT_EXECUTABLE", "/app.mjs is not an executable file"],
    ["./", "NOT_EXECUTABLE", "is not an executable file"],
  ])("is not even spawned when the command is %s", async (command, code, message) => {
    const { signal } = new AbortController();
    const record = new FakeRecord();
    const options = { command: [command] as const, record, logger };
    const supervisor = await supervisorIn(await directoryWithApp(), options);

    await expect(supervisor.start({ signal })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
    expect(record.workers).toEqual([]);
  });

  it("says which directory it is that is missing", async ({ signal }) => {
    const supervisor = await supervisorIn("/nonexistent/app", { command: sleeper, logger });

    await expect(supervisor.start({ signal })).rejects.toMatchObject({
      code: "SPAWN_FAILED",
      message: expect.stringContaining("in /nonexistent/app"),
    });
  });
});

describe("stopping", () => {
  it.each([
    ["it", 'trap "" TERM; (sleep 61; :) & echo $! > child; sleep 60 & wait'],
    ["a child", `sh -c 'trap "" TERM; echo $$ > child; sleep 61; :' & exec sleep 60`],
  ])("cuts off everything when the drain time is over and %s has not ended", async (_who, body) => {
    const { signal } = new AbortController();
    const directory = await directoryWithApp();
    const lines = new FakeLogger();
    await writeScript(directory, "app", body);
    const options = { command: ["./app"] as const, drainMs: 200, logger: lines };
    const supervisor = await supervisorIn(directory, options);
    const { pid } = await committed(supervisor, signal);
    const child = Number(await textOf(join(directory, "child")));
    expect(await identityOf(child)).toBeDefined();

    await supervisor.stop();

    expect(await identityOf(pid)).toBeUndefined();
    expect(await identityOf(child)).toBeUndefined();
    expect(lines.messages("warn")).toEqual(["Generation cut off: its drain time was over"]);
  });

  it("asks the children of a wrapper that ended without them", async ({ signal }) => {
    const directory = await directoryWithApp();
    const record = new FakeRecord();
    const child = `process.on("SIGTERM", () => process.exit(require("fs").writeFileSync("asked", "")))`;
    await writeFile(
      join(directory, "child.cjs"),
      `${child}; setInterval(() => {}, 1000);
      require("fs").writeFileSync("ready", String(process.pid));`,
    );
    await writeScript(directory, "app", `${process.execPath} child.cjs; true`);
    const supervisor = await supervisorIn(directory, { command: ["./app"], record, logger });
    await committed(supervisor, signal);
    await textOf(join(directory, "ready"));

    await supervisor.stop();

    expect(await readFile(join(directory, "asked"), "utf8")).toBe("");
    expect(record.workers).toEqual([]);
  });

  it("ends a start that is under way, and refuses a later one", async ({ signal }) => {
    const record = new FakeRecord();
    const options = { command: sleeper, minimumUptimeMs: 60_000, record, logger };
    const supervisor = await supervisorIn(await directoryWithApp(), options);
    const start = supervisor.start({ signal });
    const ended = expect(start).rejects.toMatchObject({ code: "STOPPED" });
    await until(() => record.workers.length > 0);

    await supervisor.stop();

    await ended;
    expect(record.workers).toEqual([]);
    await expect(supervisor.start({ signal })).rejects.toMatchObject({ code: "STOPPED" });
  });

  it("is not idle from the call of a start on", async ({ signal }) => {
    const supervisor = await supervisorIn(await directoryWithApp(), { command: sleeper, logger });
    expect(supervisor.isIdle).toBe(true);

    const start = supervisor.start({ signal });

    expect(supervisor.isIdle).toBe(false);
    await start;
  });

  it("ends a start whose call was aborted, and keeps the old one", async ({ signal }) => {
    const record = new FakeRecord();
    const supervisor = await supervisorIn(await directoryWithApp(), {
      command: sleeper,
      record,
      logger,
    });
    const first = await committed(supervisor, signal);
    const call = new AbortController();

    const start = supervisor.start(call);
    const ended = expect(start).rejects.toMatchObject({ name: "AbortError" });
    await until(() => record.workers.length === 2);
    call.abort();

    await ended;
    await until(() => record.workers.length === 1);
    expect(record.workers[0]?.pid).toBe(first.pid);
  });
});

const sleeper = ["sleep", "60"] as const;

async function committed(supervisor: Supervisor, signal: AbortSignal): Promise<Replacement> {
  const replacement = await supervisor.start({ signal });
  replacement.commit();
  return replacement;
}

/** What a process has written to `path`, as soon as it has. */
async function textOf(path: string): Promise<string> {
  let text = "";
  await until(async () => {
    text = await readFile(path, "utf8").catch(() => "");
    return text;
  });
  return text;
}

function portOf({ sockets }: { sockets: readonly { port: number }[] }): number {
  return sockets[0]?.port ?? 0;
}
