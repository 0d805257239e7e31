import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { silentLogger } from "../../base/logger.ts";
import { identityOf } from "../../base/process-identity.ts";
import { launcherFor } from "./launcher.ts";
import {
  directoryWithApp,
  FakeRecord,
  listenersOn,
  until,
  writeScript,
} from "./sample-app.fake.ts";
import { startWorker, type Worker, type WorkerPlan } from "./worker.ts";

describe("a worker", () => {
  it("is told about the sockets it inherits, in both conventions", async ({ signal }) => {
    const listeners = await listenersOn(2, signal);
    const [first, second] = listeners.sockets.map(({ port }) => port);
    const environment = { ...basic, LISTEN_PID: "1", LISTEN_FDS: "9", LISTEN_FDNAMES: "agent" };

    const { pid, seen } = await report({ listeners, environment }, signal);

    expect(seen.environment).toMatchObject({
      SERVER_STARTER_PORT: `${first}=3;${second}=4`,
      SERVER_STARTER_GENERATION: "7",
      LISTEN_FDS: "2",
      LISTEN_FDNAMES: `${first}:${second}`,
      LISTEN_PID: String(pid),
    });
    expect(seen.pid).toBe(pid);
  });

  it("is told that there are none, and nothing about the agent's own", async ({ signal }) => {
    const listening = { LISTEN_PID: "1", LISTEN_FDS: "1", LISTEN_FDNAMES: "agent" };
    const environment = { ...basic, ...listening };

    const { seen } = await report({ environment }, signal);

    expect(seen.environment).toEqual({
      ...basic,
      PWD: expect.any(String),
      SERVER_STARTER_PORT: "",
      SERVER_STARTER_GENERATION: "7",
      DEWY_WORKER: expect.stringMatching(/^7\/.*Z$/),
    });
  });

  it.skipIf(process.platform !== "linux")(
    "inherits the sockets and nothing else",
    async ({ signal }) => {
      const listeners = await listenersOn(2, signal);
      const directory = await directoryWithApp();
      await writeScript(directory, "app", "ls -l /proc/$$/fd > draft; mv draft fds; exec sleep 60");

      await start({ directory, listeners, command: ["sh", "-c", ". ./app"] }, signal);
      await until(() => exists(join(directory, "fds")));

      const links = [
        ...(await readFile(join(directory, "fds"), "utf8")).matchAll(/(\d+) -> (\w+:)?/g),
      ];
      const inherited = links.filter(([, fd]) => Number(fd) < 10); // the shell's own are 10 and above
      expect(inherited.map(([, fd, kind]) => [fd, kind]).slice(3)).toEqual([
        ["3", "socket:"],
        ["4", "socket:"],
      ]);
      expect(links[0]?.input).toContain("0 -> /dev/null");
    },
  );

  it("gets its arguments and odd variables as they are", async ({ signal }) => {
    const HOME = await directoryWithApp();
    await writeFile(join(HOME, ".bashrc"), "exit 9");
    const odd = { "discovery.type": "single-node", "a-b": "x y" };
    const environment = { ...basic, ...odd, HOME, BASH_ENV: join(HOME, ".bashrc") };

    const { seen } = await report({ environment }, signal, ["", "a b", "$HOME", "'\n\"", "--"]);

    expect(seen.environment).toMatchObject(environment);
    expect(seen.arguments).toEqual(["", "a b", "$HOME", "'\n\"", "--"]);
  });

  it("leads a process group of its own", async ({ signal }) => {
    const { pid, seen } = await report({}, signal);

    expect(seen.group).toBe(pid);
  });

  it("does not run before it is recorded", async ({ signal }) => {
    const directory = await directoryWithApp();
    await writeScript(directory, "app", 'touch "$1"; exec sleep 60');
    const record = new FakeRecord();
    const add = record.add.bind(record);
    let ranEarly: boolean | undefined;
    record.add = async (entry) => {
      // by the time that one which was started later has come to it, this one would have, too
      const command = ["./app", "later"] as const;
      await start({ directory, command }, signal);
      await until(() => exists(join(directory, "later")));
      ranEarly = await exists(join(directory, "recorded"));
      await add(entry);
    };

    const worker = await start({ directory, command: ["./app", "recorded"], record }, signal);

    expect(ranEarly).toBe(false);
    expect(record.workers).toMatchObject([
      { pid: worker.pid, generation: 7, identity: await identityOf(worker.pid) },
    ]);
    await until(() => exists(join(directory, "recorded")));
  });

  it.each([
    ["/bin/sh", {}],
    ["bash", { "a.b": "1" }],
  ])("never runs when the agent is killed before it was let go: %s", async (shell, odd) => {
    const launcher = await launcherFor({ ...basic, ...odd }, silentLogger);
    const directory = await directoryWithApp();

    const child = spawn(launcher.shell, [...launcher.script, "dewy", "touch", "started"], {
      cwd: directory,
      stdio: ["pipe", "inherit", "inherit"],
    });
    child.stdin?.end();
    const [status] = await once(child, "exit");

    expect(launcher.shell).toContain(shell);
    expect(status).toBe(1);
    expect(await exists(join(directory, "started"))).toBe(false);
  });

  it("runs although it cannot be recorded", async ({ signal }) => {
    const record = new FakeRecord();
    record.add = () => Promise.reject(new Error("no space left on device"));

    const worker = await start({ command: ["sleep", "60"], record }, signal);

    expect(await identityOf(worker.pid)).toBeDefined();
  });

  it("never runs when its start is aborted before it was recorded", async () => {
    const call = new AbortController();
    const directory = await directoryWithApp();
    await writeScript(directory, "app", "touch started; exec sleep 60");
    const record = new FakeRecord();
    const add = record.add.bind(record);
    record.add = async (worker) => {
      await add(worker);
      call.abort();
    };

    const starting = start({ directory, command: ["./app"], record }, call.signal);

    await expect(starting).rejects.toMatchObject({ name: "AbortError" });
    expect(await exists(join(directory, "started"))).toBe(false);
    expect(record.workers).toEqual([]);
  });

  it.each([
    ["#!/no/such/interpreter", 127],
    ["\x7fELF, but for no machine there is", 126],
  ])("ends with a status that tells why when it cannot be run: %j", async (head, status) => {
    const { signal } = new AbortController();
    const directory = await directoryWithApp();
    await writeScript(directory, "app", "");
    await writeFile(join(directory, "app"), `${head}\n`);

    const worker = await start({ directory, command: ["./app"] }, signal);

    expect(await worker.exited).toEqual({ status, signal: null });
  });
});

const basic = { PATH: process.env.PATH ?? "" };

interface Report {
  pid: number;
  group: number;
  environment: Record<string, string>;
  arguments: string[];
}

/** Starts a worker that writes down what it finds. */
async function report(
  plan: Partial<WorkerPlan>,
  signal: AbortSignal,
  given: readonly string[] = [],
): Promise<{ pid: number; seen: Report }> {
  const directory = await directoryWithApp();
  const program = `
    const { readFileSync, writeFileSync, renameSync } = require("node:fs");
    writeFileSync("draft", JSON.stringify({
      pid: process.pid,
      group: Number(readFileSync("/proc/self/stat", "utf8").split(" ")[4]),
      environment: process.env,
      arguments: process.argv.slice(1),
    }));
    renameSync("draft", "report");
    setInterval(() => {}, 1000);
  `;
  const command = [process.execPath, "-e", program, "--", ...given] as const;
  const { pid } = await start({ ...plan, directory, command }, signal);
  await until(() => exists(join(directory, "report")));
  return { pid, seen: JSON.parse(await readFile(join(directory, "report"), "utf8")) as Report };
}

async function start(plan: Partial<WorkerPlan>, signal: AbortSignal): Promise<Worker> {
  const complete: WorkerPlan = {
    command: ["true"],
    directory: "/",
    environment: basic,
    listeners: { sockets: [] },
    drainMs: 1_000,
    record: new FakeRecord(),
    clock: systemClock,
    logger: silentLogger,
    ...plan,
  };
  const worker = await startWorker(complete, 7, { signal });
  onTestFinished(async () => {
    await worker.stop();
  });
  return worker;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
