import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { built, until } from "../../bench/stage.ts";
import { signalGroup } from "../../src/agent/supervisor/process-group.ts";
import { identityOf } from "../../src/base/process-identity.ts";

it("ends a hook, and what it started, when the agent is killed", async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-hook-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const command = "sleep 600 & echo $$ $! >pids.new; mv pids.new pids; wait";
  const program = built("test/faults/hook.program.js");
  const agent = spawn(process.execPath, [program, directory, command], { stdio: "ignore" });
  onTestFinished(() => void agent.kill("SIGKILL"));
  const pids = () => readFile(join(directory, "pids"), "utf8").catch(() => "");
  await until("the hook runs", async () => (await pids()) !== "");
  const started = (await pids()).trim().split(" ").map(Number);
  onTestFinished(() => void signalGroup(started[0] ?? Number.NaN, "SIGKILL"));
  for (const pid of started) expect(await identityOf(pid)).toBeDefined();

  agent.kill("SIGKILL");
  await once(agent, "exit");

  await until("nothing of it is left", async () => {
    const alive = await Promise.all(started.map(identityOf));
    return alive.every((identity) => identity === undefined);
  });
});
