import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const ticksPerSecond = 100; // USER_HZ, which is 100 on every Linux that Node runs on

export interface Memory {
  nowMb: number;
  /** The highest since the process began, or since `forgetPeak`. */
  peakMb: number;
  threads: number;
}

/** What `/proc` says of one process, without its children. Linux only. */
export async function memoryOf(pid: number): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const number = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
  const { nowMb, peakMb } = { nowMb: number("VmRSS") / 1024, peakMb: number("VmHWM") / 1024 };
  return { nowMb, peakMb, threads: number("Threads") };
}

/** From here on the peak is what is resident now (proc(5), `clear_refs`). */
export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, "5");
}

/** User and system time of one process so far. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

export async function memoryOfBareNode(): Promise<Memory> {
  const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"], { stdio: "ignore" });
  await sleep(1000);
  try {
    return await memoryOf(child.pid ?? 0);
  } finally {
    child.kill("SIGKILL");
  }
}

export function megabytes(value: number): string {
  return value.toFixed(1);
}
