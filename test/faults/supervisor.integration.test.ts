import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, readlink } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask, directoryWithApp, until } from "../../src/agent/supervisor/sample-app.fake.ts";

const program = fileURLToPath(
  new URL("../../dist/test/faults/supervised-app.program.js", import.meta.url),
);

describe.skipIf(process.platform !== "linux")("an agent that is killed", () => {
  it("is followed by one that ends its worker and serves on the same port", async () => {
    const directory = await directoryWithApp();
    const port = await freePort();
    const first = await agentIn(directory, port);
    await until(() => ask(port).catch(() => ""));

    await kill(first.agent);
    expect(await workersIn(directory)).toEqual([first.worker]);
    const second = await agentIn(directory, port);
    await until(() => ask(port).catch(() => ""));

    expect(await workersIn(directory)).toEqual([second.worker]);
    second.agent.kill("SIGTERM");
    await once(second.agent, "exit");
    expect(await workersIn(directory)).toEqual([]);
  });

  it("leaves no worker behind that the next one does not find, whenever it is killed", async () => {
    const directory = await directoryWithApp();
    const port = await freePort();

    for (let afterMs = 60; afterMs <= 260; afterMs += 20) {
      const agent = spawn(process.execPath, [program, directory, String(port)], {
        stdio: "ignore",
      });
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      await kill(agent);
    }
    const last = await agentIn(directory, port);

    expect(await workersIn(directory)).toEqual([last.worker]);
    last.agent.kill("SIGTERM");
    await once(last.agent, "exit");
    expect(await workersIn(directory)).toEqual([]);
  });
});

async function agentIn(directory: string, port: number) {
  const agent = spawn(process.execPath, [program, directory, String(port)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(async () => {
    await kill(agent);
    for (const pid of await workersIn(directory)) process.kill(pid, "SIGKILL");
  });
  const [line] = await Promise.race([
    once(agent.stdout, "data"),
    once(agent, "exit").then(([status]) => {
      throw new Error(`the agent ended with status ${status}; is dist/ built?`);
    }),
  ]);
  return { agent, worker: Number(/up (\d+)/.exec(String(line))?.[1]) };
}

async function kill(agent: ChildProcess): Promise<void> {
  if (agent.exitCode !== null || agent.signalCode !== null) return;
  const exited = once(agent, "exit");
  agent.kill("SIGKILL");
  await exited;
}

/** The processes that run in `directory`, apart from those that have ended but were not reaped. */
async function workersIn(directory: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const places = await Promise.all(
    pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => undefined)),
  );
  const here = pids.filter((_pid, index) => places[index] === directory);
  const states = await Promise.all(
    here.map((pid) => readFile(`/proc/${pid}/stat`, "utf8").catch(() => ") Z")),
  );
  return here.filter((_pid, index) => !states[index]?.includes(") Z")).map(Number);
}
