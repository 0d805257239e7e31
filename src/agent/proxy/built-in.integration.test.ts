import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import {
  ask,
  closed,
  deadBackend,
  echo,
  freePort,
  heard,
  named,
  open,
  until,
} from "./backends.fake.ts";
import { type BuiltInOptions, openBuiltIn } from "./built-in.ts";
import { dataPlaneContract } from "./data-plane.contract.ts";
import { askProxy } from "./proxy-protocol.ts";

const program = fileURLToPath(new URL("../../../dist/src/proxy-main.js", import.meta.url));
const ours = { idleMs: 0, proxyProtocol: false, version: "1", program };

dataPlaneContract("built-in", (place, call) =>
  openBuiltIn({ ...ours, ...place }, { logger: new FakeLogger(), clock: systemClock }, call),
);

describe("the built-in proxy", () => {
  it("goes on when its agent is killed, and everything in the agent's session", async ({
    signal,
  }) => {
    const { options, port } = await aPlace();
    const backend = await echo();
    const agent = spawn(process.execPath, ["--input-type=module", "-e", agentProgram], {
      ...{ detached: true, stdio: ["ignore", "pipe", "inherit"] },
      env: {
        OPTIONS: JSON.stringify(options),
        ROUTES: JSON.stringify([{ port, backends: [backend] }]),
      },
    });
    await once(agent.stdout as NodeJS.ReadableStream, "data");
    const kept = await open(port);
    await heard(kept, "x");

    process.kill(-(agent.pid ?? 0), "SIGKILL");
    await once(agent, "exit");

    expect(await heard(kept, "still there")).toBe("still there");
    const plane = await opened(options, signal);
    expect((await plane.loads({ signal })).get(backend.id)?.open).toBe(1);
  });

  it("hands its sockets on to another version, and both are counted and cut", async ({
    signal,
  }) => {
    const { options, port } = await aPlace();
    const [old, next] = [await echo(), await echo()];
    const before = await opened(options, signal);
    await before.declare([{ port, backends: [old] }], { signal });
    const kept = await open(port);
    await heard(kept, "x");
    const firstPid = await pidOf(options);
    await before.close({ keep: true });

    const after = await opened({ ...options, version: "2" }, signal);
    expect(await heard(await open(port), "between")).toBe("between");
    await after.declare([{ port, backends: [old, next] }], { signal });
    const fresh = [await open(port), await open(port)];
    for (const socket of fresh) await heard(socket, "y");

    expect(await pidOf(options)).not.toBe(firstPid);
    expect((await after.loads({ signal })).get(old.id)?.open).toBeGreaterThanOrEqual(2);
    expect(await heard(kept, "still there")).toBe("still there");
    await after.declare([{ port, backends: [next] }], { signal });
    expect(await after.cut(old.id, { signal })).toBeGreaterThanOrEqual(2);
    await closed(kept);
    await until(() => hasEnded(firstPid));
  });

  it("loses no connection while it hands on again and again", async ({ signal }) => {
    const { options, port } = await aPlace();
    const routes = [{ port, backends: [await named("one")] }];
    let plane = await opened(options, signal);
    await plane.declare(routes, { signal });
    let isOver = false;
    const answers = new Set<string>();
    const asking = Promise.all(
      [1, 2, 3].map(async () => {
        while (!isOver) answers.add(await ask(port).catch(String));
      }),
    );

    for (const version of ["2", "3", "4"]) {
      await plane.close({ keep: true });
      plane = await opened({ ...options, version }, signal);
      await plane.declare(routes, { signal });
    }

    isOver = true;
    await asking;
    expect([...answers]).toEqual(["one"]);
  });

  it("does not keep a port open that the next agent has no use for", async ({ signal }) => {
    const { options, port } = await aPlace();
    const other = await freePort();
    const backends = [await named("one")];
    const before = await opened(options, signal);
    await before.declare([{ port, backends }], { signal });
    await before.close({ keep: true });

    const after = await opened({ ...options, ports: [other], version: "2" }, signal);
    await after.declare([{ port: other, backends }], { signal });

    expect(await ask(other)).toBe("one");
    await expect(ask(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("opens a port anew that it had inherited and closed", async ({ signal }) => {
    const { options, port } = await aPlace();
    const routes = [{ port, backends: [await named("one")] }];
    const before = await opened(options, signal);
    await before.declare(routes, { signal });
    await before.close({ keep: true });
    const after = await opened({ ...options, version: "2" }, signal);
    await after.declare(routes, { signal });

    await after.declare([{ port, backends: [] }], { signal });
    await after.declare(routes, { signal });

    expect(await ask(port)).toBe("one");
  });

  it("is replaced at once when it is killed", async ({ signal }) => {
    const { options, port } = await aPlace();
    const plane = await opened(options, signal);
    await plane.declare([{ port, backends: [await named("one")] }], { signal });
    const pid = await pidOf(options);

    process.kill(pid, "SIGKILL");

    await until(() =>
      ask(port).then(
        (answer) => answer === "one",
        () => false,
      ),
    );
    expect(await pidOf(options)).not.toBe(pid);
    expect(await plane.loads({ signal })).toHaveLength(1);
  });

  it("ends by itself when nobody needs it, and not while a backend accepts", async ({ signal }) => {
    const [needed, lonely] = [await aPlace(), await aPlace()];
    const alive = await named("one");
    for (const [{ options, port }, backend] of [
      [needed, alive],
      [lonely, await deadBackend()],
    ] as const) {
      const plane = await opened({ ...options, lonelyMs: 100 }, signal);
      await plane.declare([{ port, backends: [backend] }], { signal });
      await plane.close({ keep: true });
    }
    const pid = await pidOf(needed.options);

    await until(() =>
      pidOf(lonely.options).then(
        () => false,
        () => true,
      ),
    );

    expect(await pidOf(needed.options)).toBe(pid);
    expect(await ask(needed.port)).toBe("one");
  });

  it("says which port is taken, before anything is started", async ({ signal }) => {
    const { options } = await aPlace();
    const { port: taken } = await named("somebody else");

    await expect(opened({ ...options, ports: [taken] }, signal)).rejects.toMatchObject({
      name: "ConfigError",
      message: `--port: port ${taken} is taken`,
      hint: "stop what listens there, or name another port",
    });

    await until(() =>
      pidOf(options).then(
        () => false,
        () => true,
      ),
    );
  });

  it("says how many connections the limit of open files allows", async ({ signal }) => {
    const { options } = await aPlace();

    await expect(
      opened({ ...options, maximumConnections: 1_000_000_000 }, signal),
    ).rejects.toMatchObject({ name: "ConfigError", message: /limit of open files allows \d+$/ });
  });

  it("survives more clients than it may have files, and does not spin", async () => {
    const { options, port } = await aPlace();
    const { directory } = options;
    const settings = JSON.stringify({ ...ours, program: undefined, directory });
    const limited = spawn(
      "sh",
      ["-c", 'ulimit -n 100; exec "$0" "$@"', process.execPath, program, settings],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    onTestFinished(() => void limited.kill("SIGKILL"));
    await once(limited.stdout as NodeJS.ReadableStream, "data");
    await tell(directory, { do: "declare", routes: [{ port, backends: [await echo()] }] });

    const outcomes = await Promise.allSettled(Array.from({ length: 200 }, () => open(port)));
    const sockets = outcomes.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    for (const socket of sockets) socket.resume();
    await until(() => sockets.filter(({ destroyed }) => !destroyed).length <= 20);

    const spentBefore = await ticksOf(limited.pid ?? 0);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect((await ticksOf(limited.pid ?? 0)) - spentBefore).toBeLessThan(50);
    for (const socket of sockets) socket.destroy();
    await until(async () => (await heard(await open(port), "again").catch(() => "")) === "again");
  });

  it("carries IPv6 to IPv6 and to IPv4", async ({ signal }) => {
    const { options, port } = await aPlace();
    const four = await named("four");
    const six = { ...(await named("six")), host: "::1" };
    const plane = await opened(options, signal);

    await plane.declare([{ port, backends: [four] }], { signal });
    expect(await ask(port, "", "::1")).toBe("four");
    await plane.declare([{ port, backends: [six] }], { signal });

    expect([await ask(port, "", "::1"), await ask(port)]).toEqual(["six", "six"]);
  });
});

const agentProgram = `
  import { openBuiltIn } from "${new URL("../../../dist/src/agent/proxy/built-in.js", import.meta.url)}";
  import { systemClock } from "${new URL("../../../dist/src/base/clock.js", import.meta.url)}";
  const logger = { info() {}, error() {}, warn() {}, debug() {} };
  const call = { signal: new AbortController().signal };
  const plane = await openBuiltIn(JSON.parse(process.env.OPTIONS), { logger, clock: systemClock }, call);
  await plane.declare(JSON.parse(process.env.ROUTES), call);
  console.log("ready");
  setInterval(() => {}, 1000);
`;

async function aPlace() {
  const directory = await mkdtemp(join(tmpdir(), "dewy-built-in-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const port = await freePort();
  const options: BuiltInOptions = { ...ours, directory, ports: [port] };
  return { options, port };
}

async function opened(options: BuiltInOptions, signal: AbortSignal) {
  const parts = { logger: new FakeLogger(), clock: systemClock };
  const plane = await openBuiltIn(options, parts, { signal });
  onTestFinished(() => plane.close({ keep: false }));
  return plane;
}

const tell = (directory: string, request: Parameters<typeof askProxy>[1]) =>
  askProxy(join(directory, "proxy.sock"), request, { signal: AbortSignal.timeout(10_000) });

/** Of the process that agents reach. */
async function pidOf({ directory }: { directory: string }): Promise<number> {
  const { pid } = await tell(directory, { do: "attach" });
  if (pid === undefined) throw new Error("no process");
  return pid;
}

function hasEnded(pid: number): Promise<boolean> {
  return readlink(`/proc/${pid}/exe`).then(
    () => false,
    () => true,
  );
}

/** Processor time so far, in hundredths of a second. */
async function ticksOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
