import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { built } from "../stage.ts";

const starts = 21;
export const slowestStartMs = 150;

/** Milliseconds until `dewy --version` has ended, and until Node has that is told to do nothing. */
export async function measureStarts(): Promise<{ ours: number; bare: number }> {
  const ours = await medianStart([built("src/main.js"), "--version"]);
  return { ours, bare: await medianStart(["-e", "0"]) };
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
