import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { ask, deadBackend, echo, heard, named, open, until } from "./backends.fake.ts";
import { aPlace, opened, ours, pidOf, program, tell } from "./built-in.fake.ts";
import { openBuiltIn } from "./built-in.ts";
import { dataPlaneContract } from "./data-plane.contract.ts";

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
      const plane = await opened({ ...options, lonelyMs: 2_000 }, signal);
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
    const answers = async () => (await heard(await open(port), "again")) === "again";
    await until(() => answers().catch(() => false));
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

/** Processor time so far, in hundredths of a second. */
async function ticksOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
