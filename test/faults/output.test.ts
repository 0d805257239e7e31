import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { built, until } from "../../bench/stage.ts";
import { signalGroup } from "../../src/agent/supervisor/process-group.ts";
import { identityOf } from "../../src/base/process-identity.ts";

/** Writes much to both, says how far it has come in a file, and ends when it is told to. */
const writer = `
  echo $$ >pid.new && mv pid.new pid
  round=0
  until [ -e end ]; do
    round=$((round + 1))
    head -c 20000 /dev/zero | tr '\\0' o; echo " out $round"
    echo "err $round" >&2
    echo $round >round.new && mv round.new round
  done
  echo "last out"; echo "last err" >&2`;

it("goes to where the agent wrote, when the agent is killed, and neither ends nor stops the app", async () => {
  const { directory, agent, round, pid } = await prepare("file");
  await until("the app writes", async () => (await round()) > 2);

  agent.kill("SIGKILL");
  await once(agent, "exit");

  const then = await round();
  await until("it goes on writing", async () => (await round()) > then + 50);
  await (await open(join(directory, "end"), "w")).close();
  await until("it has ended", async () => (await identityOf(await pid())) === undefined);
  const text = () => readFile(join(directory, "text"), "utf8");
  await until(
    "all of it is there",
    async () => /last out\n[\s\S]*$/.test(await text()) && (await text()).includes("last err\n"),
  );
  expect((await text()).match(/err \d+\n/g)?.length).toBeGreaterThan(50);
}, 60_000);

it("goes nowhere when that is gone too, and neither ends nor stops the app", async () => {
  const { agent, round } = await prepare("pipe");
  agent.stdout?.resume();
  await until("the app writes", async () => (await round()) > 2);

  agent.stdout?.destroy();
  agent.kill("SIGKILL");
  await once(agent, "exit");

  const then = await round();
  await until("it goes on writing", async () => (await round()) > then + 50);
}, 60_000);

async function prepare(to: "file" | "pipe") {
  const directory = await mkdtemp(join(tmpdir(), "dewy-output-"));
  const text = await open(join(directory, "text"), "a");
  const target = to === "file" ? text.fd : "pipe";
  const program = built("test/faults/output.program.js");
  const agent = spawn(process.execPath, [program, directory, `cd ${directory}; ${writer}`], {
    stdio: ["ignore", target, target === "pipe" ? "ignore" : target],
  });
  const number = async (name: string) =>
    Number(await readFile(join(directory, name), "utf8").catch(() => "0"));
  const pid = () => number("pid");
  onTestFinished(async () => {
    agent.kill("SIGKILL");
    if ((await pid()) > 1) signalGroup(await pid(), "SIGKILL");
    await text.close();
    await rm(directory, { recursive: true, force: true });
  });
  return { directory, agent, pid, round: () => number("round") };
}
