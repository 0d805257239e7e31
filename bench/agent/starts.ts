import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { built } from "../stage.ts";

const starts = 21;
export const slowestStartMs = 150;

/**
 * Milliseconds until `dewy --version` has ended, and until Node has that is told to do nothing: turn by
 * turn, so that whatever else the machine does is on both.
 */
export async function measureStarts(): Promise<{ ours: number; bare: number }> {
  const ours: number[] = [];
  const bare: number[] = [];
  for (let count = 0; count < starts; count++) {
    ours.push(await timed([built("src/main.js"), "--version"]));
    bare.push(await timed(["-e", "0"]));
  }
  return { ours: median(ours), bare: median(bare) };
}

async function timed(args: readonly string[]): Promise<number> {
  const before = performance.now();
  await promisify(execFile)(process.execPath, args);
  return performance.now() - before;
}

function median(times: readonly number[]): number {
  return times.toSorted((one, other) => one - other)[Math.floor(times.length / 2)] ?? 0;
}
