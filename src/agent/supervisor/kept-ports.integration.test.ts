import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { identityOf } from "../../base/process-identity.ts";
import { openKeeper } from "./keeper.ts";
import { openKeptPorts } from "./kept-ports.ts";
import type { ListeningSocket } from "./listening-socket.ts";
import { listenersOn, until } from "./sample-app.fake.ts";
import { socketsOfKeeper } from "./sockets-of-keeper.ts";

describe.skipIf(process.platform !== "linux")("a keeper of ports", () => {
  let directory: string;
  let signal: AbortSignal;

  beforeEach(async (test) => {
    signal = test.signal;
    directory = await mkdtemp(join(tmpdir(), "dewy-keeper-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
  });

  it("gives its sockets to whoever comes, blocking or not as they were", async () => {
    const { sockets } = await listenersOn(3, signal);
    await keeperOf(sockets);

    const first = await taken();
    const second = await taken();

    expect(first.map(({ port }) => port)).toEqual(sockets.map(({ port }) => port));
    expect(second.map(({ port }) => port)).toEqual(first.map(({ port }) => port));
    for (const { fd } of [...first, ...sockets]) expect(await blocks(fd)).toBe(true);
  });

  it("is nobody where there is none, or only the name of one that was killed", async () => {
    const none = await taken();
    const { sockets } = await listenersOn(1, signal);
    const keeper = await keeperOf(sockets);
    await keeper.end();

    expect(none).toEqual([]);
    expect(await taken()).toEqual([]);
  });

  it("stays while the app serves that a killed agent left, and then ends", async () => {
    const { sockets } = await listenersOn(1, signal);
    await recordApp(process.pid);
    const keeper = await keeperOf(sockets, 1);
    keeper.leave();
    for (const socket of sockets) socket.close();
    const port = sockets[0]?.port ?? 0;

    await new Promise((resolve) => setTimeout(resolve, 2_500)); // it looks each second
    expect(await isOpen(port)).toBe(true);
    await writeFile(join(directory, "workers.json"), '{"workers":[]}');

    await until(async () => !(await isOpen(port)));
  });

  it("ends when another one has its name", async () => {
    const { sockets } = await listenersOn(2, signal);
    const [one, other] = sockets;
    const first = await keeperOf(one ? [one] : []);
    await keeperOf(other ? [other] : []);
    for (const socket of sockets) socket.close();

    first.leave();

    await until(async () => !(await isOpen(one?.port ?? 0)));
    expect(await isOpen(other?.port ?? 0)).toBe(true);
  });

  it("holds no longer what the next agent does not want", async () => {
    const { sockets } = await listenersOn(2, signal);
    (await keeperOf(sockets)).leave();
    for (const socket of sockets) socket.close();
    const [kept = 0, dropped = 0] = sockets.map(({ port }) => port);
    const parts = { directory, handover: true, clock: systemClock, logger: new FakeLogger() };
    const ports = openKeptPorts(parts);

    const listeners = await ports.listen([kept], { signal });
    onTestFinished(async () => {
      await ports.end();
      listeners.close();
    });

    expect(listeners).toMatchObject({ outlive: true, sockets: [{ port: kept }] });
    expect(ports.outlive).toBe(true);
    await until(async () => !(await isOpen(dropped)));
    expect(await isOpen(kept)).toBe(true);
  });

  it("that cannot be started is warned about, and the ports are open all the same", async () => {
    const logger = new FakeLogger();
    const parts = {
      directory: join(directory, "missing"),
      handover: true,
      clock: systemClock,
      logger,
    };
    const ports = openKeptPorts(parts);

    const listeners = await ports.listen([0], { signal });
    await ports.end();
    listeners.close();

    expect(ports.outlive).toBe(false);
    expect(logger.messages("warn")[0]).toBe(
      "The ports have no keeper: without the agent they would be closed",
    );
  });

  async function keeperOf(sockets: readonly ListeningSocket[], lingerMs?: number) {
    const parts = { directory, clock: systemClock, logger: new FakeLogger() };
    const keeper = await openKeeper({ ...parts, sockets, lingerMs }, { signal });
    onTestFinished(() => keeper.end());
    return keeper;
  }

  async function taken(): Promise<ListeningSocket[]> {
    const sockets = await socketsOfKeeper(directory, { signal });
    onTestFinished(() => {
      for (const socket of sockets) socket.close();
    });
    return sockets;
  }

  async function recordApp(pid: number): Promise<void> {
    const workers = [{ pid, identity: await identityOf(pid) }];
    await writeFile(join(directory, "workers.json"), JSON.stringify({ workers }));
  }
});

async function blocks(fd: number): Promise<boolean> {
  const [, flags = ""] =
    /flags:\s*(\d+)/.exec(await readFile(`/proc/self/fdinfo/${fd}`, "utf8")) ?? [];
  return (Number.parseInt(flags, 8) & 0o4000) === 0;
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true));
    socket.on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}
