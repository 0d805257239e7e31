import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { ask, startLoad } from "../../bench/load.ts";
import { openStage, type Running, type Stage, until } from "../../bench/stage.ts";
import { openListeningSocket } from "../../src/agent/supervisor/listening-socket.ts";

/** The test stands where systemd would, with a socket unit: it keeps the socket open. */
describe("agents that follow one another on a socket that outlives them", {
  timeout: 90_000,
}, () => {
  let stage: Stage;
  let port: number;
  let fd: number;

  beforeEach(async ({ signal }) => {
    stage = await openStage();
    const socket = await openListeningSocket(0, { signal });
    onTestFinished(() => socket.close());
    ({ port, fd } = socket);
    await stage.push("v1.0.0");
  });
  afterEach(() => stage.close());

  it("fail no request, whether they were told to end or killed", async () => {
    let agent = await started([]);
    const load = startLoad({ url: `http://127.0.0.1:${port}/`, keepAlive: 4, fresh: 4 });
    const slow = ask(`http://127.0.0.1:${port}/slow?seconds=8`, { timeoutMs: 30_000 });

    await until("the first app answers", async () => load.soFar.answers.size === 1);

    for (const signal of ["SIGTERM", "SIGKILL", "SIGTERM", "SIGKILL"] as const) {
      const before = load.soFar.answers.size;
      agent.process.kill(signal);
      await until("it has ended", async () => hasEnded(agent));
      agent = await started(await recorded());
      await until("its app answers", async () => load.soFar.answers.size > before);
    }

    const { requests, failures, answers } = await load.stop();
    expect(failures).toEqual([]);
    expect(requests).toBeGreaterThan(500);
    expect(answers.size).toBe(5); // a process each
    expect((await slow).body).toContain("v1.0.0");
    await until("only the last one is left", async () => (await recorded()).length === 1);
  });

  /** An agent whose app has joined those that were there `before`. */
  async function started(before: readonly number[]): Promise<Running> {
    const agent = stage.startAgent(port, ["-i", "1", "-l", "info", "--handover"], { fd });
    await until("its app is in service", async () => {
      return agent.log().includes("Generation in service");
    });
    await until("its app is recorded", async () => {
      return (await recorded()).some((pid) => !before.includes(pid));
    });
    return agent;
  }

  async function recorded(): Promise<number[]> {
    const path = join(stage.directory, "app", ".dewy", "workers.json");
    const { workers } = JSON.parse(await readFile(path, "utf8"));
    return workers.map(({ pid }: { pid: number }) => pid);
  }
});

const hasEnded = ({ process: { exitCode, signalCode } }: Running): boolean =>
  exitCode !== null || signalCode !== null;
