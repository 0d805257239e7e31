import { execFile, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { ask } from "./load.ts";
import { built, freePort, openStage, until } from "./stage.ts";

const seconds = 60;
const mostMemoryMb = 80;
const starts = 21;
const slowestStartMs = 150;
const ticksPerSecond = 100; // USER_HZ, which is 100 on every Linux that Node runs on

/** What an idle agent costs: memory, processor time for each poll, and its start. Linux only. */
export async function run(print: (line: string) => void): Promise<void> {
  const stage = await openStage();
  try {
    const port = await freePort();
    await stage.push("v1.0.0");
    const { process: agent } = stage.startAgent(port);
    await until(
      "the app answers",
      async () => (await ask(`http://127.0.0.1:${port}/`)).status === 200,
    );
    const pid = agent.pid ?? 0;
    await sleep(5000);

    const before = await cpuSeconds(pid);
    await sleep(seconds * 1000);
    const perPollMs = (((await cpuSeconds(pid)) - before) / seconds) * 1000;

    const { nowMb, peakMb } = await memory(pid);
    print(
      `resident memory after ${seconds} polls  ${nowMb.toFixed(1)} MB (at most ${mostMemoryMb} promised)`,
    );
    print(`highest, the deployment included  ${peakMb.toFixed(1)} MB`);
    print(`processor time for each poll     ${perPollMs.toFixed(2)} ms`);
    print(`at the default of one in 10 s    ${(perPollMs / 100).toFixed(3)} % of one core`);
    const bare = await memoryOfBareNode();
    print(
      `Node itself, doing nothing       ${bare.toFixed(1)} MB: ours is ${(nowMb / bare).toFixed(2)} times that`,
    );
    const startMs = await medianStart([built("src/main.js"), "--version"]);
    const bareMs = await medianStart(["-e", "0"]);
    print(
      `dewy --version, median of ${starts}       ${startMs.toFixed(0)} ms (under ${slowestStartMs} promised): ${(startMs / bareMs).toFixed(2)} times Node itself`,
    );
    if (nowMb > mostMemoryMb || startMs > slowestStartMs) process.exitCode = 1;
  } finally {
    await stage.close();
  }
}

async function medianStart(args: readonly string[]): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < starts; count++) {
    const before = performance.now();
    await promisify(execFile)(process.execPath, args);
    times.push(performance.now() - before);
  }
  return times.toSorted((one, other) => one - other)[Math.floor(starts / 2)] ?? 0;
}

async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

async function memory(pid: number): Promise<{ nowMb: number; peakMb: number }> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const kilobytes = (name: string) =>
    Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
  return { nowMb: kilobytes("VmRSS") / 1024, peakMb: kilobytes("VmHWM") / 1024 };
}

async function memoryOfBareNode(): Promise<number> {
  const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"], { stdio: "ignore" });
  await sleep(1000);
  const { nowMb } = await memory(child.pid ?? 0);
  child.kill("SIGKILL");
  return nowMb;
}
