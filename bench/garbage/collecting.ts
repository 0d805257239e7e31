import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { run as runDewy } from "../stage.ts";
import { configurationOf, peerConfigurationOf } from "./configuration.ts";
import { fill, untaggedIn } from "./stored-images.ts";

export interface Collected {
  count: number;
  seconds: number;
  /** Of the processor, which tells more where others use it as well. */
  processorSeconds: number;
  peakMebibytes: number;
}

const ticksPerSecond = 100; // of /proc, on every Linux there is
const peerProgram = "docker-registry";

export function hasPeer(): boolean {
  return spawnSync(peerProgram, ["--version"]).status === 0;
}

export function collectArguments(config: string): string[] {
  return ["registry", "garbage-collect", "--quiet", config];
}

export function collectedByOurs(directory: string, count: number): Promise<Collected> {
  return collected(directory, count, async () => {
    const config = await configurationOf({ directory });
    return () => runDewy(collectArguments(config), directory).process;
  });
}

/** The same files, which nobody pushes to meanwhile: it must not be otherwise. */
export function collectedByPeer(directory: string, count: number): Promise<Collected> {
  return collected(directory, count, async () => {
    const config = await peerConfigurationOf(directory);
    const args = ["garbage-collect", "--delete-untagged", config];
    return () => spawn(peerProgram, args, { stdio: "ignore" });
  });
}

async function collected(
  directory: string,
  count: number,
  prepare: () => Promise<() => ChildProcess>,
): Promise<Collected> {
  fill(directory, count);
  const start = await prepare();
  const begun = performance.now();
  const child = start();
  const usage = usageUntilEndOf(child);
  const status = await ended(child);
  const seconds = (performance.now() - begun) / 1000;
  const left = await untaggedIn(directory);
  if (status !== 0 || left !== 0) throw new Error(`exit status ${status}, ${left} manifests left`);
  await rm(directory, { recursive: true, force: true });
  return { count, seconds, ...(await usage) };
}

/** The most memory `child` had, and its time on the processor, looked at until it ends. */
async function usageUntilEndOf(child: ChildProcess) {
  const usage = { peakMebibytes: 0, processorSeconds: 0 };
  while (child.exitCode === null && child.signalCode === null) {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      const peak = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
      usage.peakMebibytes = Math.max(usage.peakMebibytes, peak);
      const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.split(" ");
      usage.processorSeconds = (Number(fields?.[11]) + Number(fields?.[12])) / ticksPerSecond;
    } catch {
      break; // it ended between the two
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return usage;
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("close", resolve));
}
