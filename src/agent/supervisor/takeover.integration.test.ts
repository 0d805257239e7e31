import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FakeLogger } from "../../base/logger.fake.ts";
import { identityOf } from "../../base/process-identity.ts";
import { openListeners } from "./listeners.ts";
import { endOrphans } from "./orphans.ts";
import { runningMembers } from "./process-group.ts";
import { ask, directoryWithApp, FakeRecord, until, writeScript } from "./sample-app.fake.ts";
import { takeOver } from "./takeover.ts";

describe("an agent that comes after one that was killed", () => {
  it("gets the ports while the old worker still finishes a request", async ({ signal }) => {
    const { record, port, orphan } = await servingOrphan(signal);
    const long = ask(port, "/?delay=1500");
    await until(() => ask(port));

    const { listeners, endPredecessors } = await takeOver(
      { ports: [port], record, drainMs: 5_000, logger: new FakeLogger() },
      { signal },
    );
    onTestFinished(() => listeners.close());
    const orphans = await endPredecessors();

    expect(listeners.sockets).toMatchObject([{ port }]);
    expect(orphans.alive).toEqual([orphan.pid]);
    expect(await long).toBe("1");
    await orphans.drained;
    expect(orphans.alive).toEqual([]);
    expect(record.workers).toEqual([]);
  });

  it("kills what does not let go of a port in time, children and all", async ({ signal }) => {
    const directory = await directoryWithApp();
    const [port = 0, fd = 0] = await inheritable(signal);
    await writeScript(directory, "app", 'trap "" TERM; sleep 61 & echo ready; sleep 60; wait');
    const orphan = await spawned(join(directory, "app"), [], { directory, fd });
    const record = await recordOf(orphan);
    const logger = new FakeLogger();

    const { listeners, endPredecessors } = await takeOver(
      { ports: [port], record, drainMs: 1_500, logger },
      { signal },
    );
    onTestFinished(() => listeners.close());
    const orphans = await endPredecessors();
    await orphans.drained;

    expect(await identityOf(orphan.pid ?? 0)).toBeUndefined();
    expect(logger.messages("warn")).toEqual([
      "Ending a worker that an earlier run left behind",
      "Waiting for a port that an earlier run may hold",
      "Worker of an earlier run did not end by itself",
    ]);
    expect(record.workers).toEqual([]);
  });

  it("does not wait for long for a port that somebody else holds", async ({ signal }) => {
    const [port = 0] = await inheritable(signal, "kept");

    const taking = takeOver(
      { ports: [port], record: new FakeRecord(), drainMs: 60_000, logger: new FakeLogger() },
      { signal },
    );

    await expect(taking).rejects.toMatchObject({ code: "PORT_IN_USE" });
  });

  it("never signals a process that only has the number of a worker", async ({ signal }) => {
    const directory = await directoryWithApp();
    await writeScript(directory, "app", "echo ready; exec sleep 60");
    const bystander = await spawned(join(directory, "app"), [], { directory });
    const record = await recordOf(bystander, "another boot/123");

    const orphans = await endOrphans(
      { record, drainMs: 100, logger: new FakeLogger() },
      { signal },
    );
    await orphans.drained;

    expect(orphans.alive).toEqual([]);
    expect(record.workers).toEqual([]);
    expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
    expect(await identityOf(bystander.pid ?? 0)).toBeDefined();
  });

  it("forgets workers that have ended by themselves", async ({ signal }) => {
    const directory = await directoryWithApp();
    await writeScript(directory, "app", "echo ready; exec sleep 60");
    const worker = await spawned(join(directory, "app"), [], { directory });
    const record = await recordOf(worker);
    worker.kill("SIGKILL");
    await once(worker, "exit");
    const logger = new FakeLogger();

    await (await endOrphans({ record, drainMs: 100, logger }, { signal })).drained;

    expect(record.workers).toEqual([]);
    expect(logger.lines).toEqual([]);
  });

  it.runIf(process.platform === "linux")(
    "ends what a worker that has ended left in its group, and tells nobody twice",
    async ({ signal }) => {
      const directory = await directoryWithApp();
      const children = "sh -c 'trap \"\" TERM; sleep 61; sleep 62' & sleep 63 & echo ready; wait";
      await writeScript(directory, "app", children);
      const worker = await spawned(join(directory, "app"), [], { directory, environment: marked });
      const record = await recordOf(worker);
      worker.kill("SIGKILL");
      await once(worker, "exit");
      const logger = new FakeLogger();

      const orphans = await endOrphans({ record, drainMs: 300, logger }, { signal });

      expect(orphans.alive).toEqual([worker.pid]);
      await orphans.drained;
      expect(await runningMembers(worker.pid ?? 0)).toEqual([]);
      expect(record.workers).toEqual([]);
      expect(logger.messages("warn")).toEqual([
        "Ending a worker that an earlier run left behind",
        "Worker of an earlier run did not end by itself",
      ]);
    },
  );

  it.each([
    ["has no mark", {}],
    ["has the mark of another", { DEWY_WORKER: "2/2026-01-01T00:00:00.000Z" }],
  ])("leaves a group alone that only has its number, and %s", async (_what, environment) => {
    const directory = await directoryWithApp();
    await writeScript(directory, "app", "sleep 60 & echo ready; wait");
    const bystander = await spawned(join(directory, "app"), [], { directory, environment });
    const record = await recordOf(bystander);
    bystander.kill("SIGKILL");
    await once(bystander, "exit");
    const before = await runningMembers(bystander.pid ?? 0);

    await (
      await endOrphans({ record, drainMs: 100, logger: new FakeLogger() }, new AbortController())
    ).drained;

    expect(await runningMembers(bystander.pid ?? 0)).toEqual(before);
    expect(record.workers).toEqual([]);
  });

  it("leaves those that still drain in the record, when it is itself stopped", async () => {
    const directory = await directoryWithApp();
    await writeScript(directory, "app", 'trap "" TERM; echo ready; sleep 60');
    const worker = await spawned(join(directory, "app"), [], { directory });
    const record = await recordOf(worker);
    const call = new AbortController();
    const logger = new FakeLogger();

    const orphans = await endOrphans({ record, drainMs: 60_000, logger }, call);
    call.abort();
    await orphans.drained;

    expect(record.workers).toMatchObject([{ pid: worker.pid }]);
    expect(logger.messages("error")).toEqual([]);
  });
});

/** As `recordOf` writes it down. */
const marked = { DEWY_WORKER: "1/2026-01-01T00:00:00.000Z" };

/** The sample app, as an agent leaves it that was killed: recorded, and serving on its own. */
async function servingOrphan(signal: AbortSignal) {
  const directory = await directoryWithApp();
  const [port = 0, fd = 0] = await inheritable(signal);
  await writeFile(join(directory, "ready.mjs"), 'import "./app.mjs"; console.log("ready");');
  const orphan = await spawned(process.execPath, ["ready.mjs"], {
    directory,
    fd,
    environment: { SERVER_STARTER_PORT: `${port}=3`, SERVER_STARTER_GENERATION: "1" },
  });
  return { port, orphan, record: await recordOf(orphan) };
}

/** A port and its descriptor; unless it is kept, this process lets go of it after the next spawn. */
async function inheritable(signal: AbortSignal, kept?: "kept"): Promise<[number, number]> {
  const listeners = await openListeners([0], { signal });
  const [{ port, fd } = { port: 0, fd: -1 }] = listeners.sockets;
  if (kept) onTestFinished(() => listeners.close());
  else closeAfterSpawn.set(fd, () => listeners.close());
  return [port, fd];
}

const closeAfterSpawn = new Map<number, () => void>();

async function spawned(
  program: string,
  programArguments: string[],
  place: { directory: string; fd?: number; environment?: Record<string, string> },
): Promise<ChildProcess> {
  const { directory, fd, environment } = place;
  const child = spawn(program, programArguments, {
    cwd: directory,
    detached: true,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "inherit", ...(fd === undefined ? [] : [fd])],
  });
  onTestFinished(() => endGroupOf(child));
  if (child.stdout) await once(child.stdout, "data");
  if (fd !== undefined) closeAfterSpawn.get(fd)?.();
  return child;
}

function endGroupOf({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // nothing is left of it, as it should be
  }
}

async function recordOf(child: ChildProcess, identity?: string): Promise<FakeRecord> {
  const pid = child.pid ?? 0;
  const record = new FakeRecord();
  await record.add({
    pid,
    identity: identity ?? (await identityOf(pid)) ?? "",
    generation: 1,
    startedAt: "2026-01-01T00:00:00.000Z",
  });
  return record;
}
