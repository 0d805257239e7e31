import { execFile } from "node:child_process";
import { availableParallelism } from "node:os";
import { promisify } from "node:util";

/**
 * Where programs run. `apart` gives what stands between a processor that clients and the backend leave
 * to it, as they do on hosts that have some; `together` leaves all of them all processors.
 */
export type Seating = "apart" | "together";

const last = availableParallelism() - 1;

/** `apart` takes two processors, and taskset. */
export const seatings: readonly Seating[] = last > 0 ? ["apart", "together"] : ["together"];

/** What this process starts from now on sits where it does. */
export async function seat(
  programs: { between: readonly number[]; others: readonly number[] },
  seating: Seating,
): Promise<void> {
  const all = `0-${last}`;
  const isApart = seating === "apart";
  for (const pid of programs.between) await confine(pid, isApart ? `${last}` : all);
  for (const pid of programs.others) await confine(pid, isApart ? `0-${last - 1}` : all);
}

async function confine(pid: number, processors: string): Promise<void> {
  await promisify(execFile)("taskset", ["-apc", processors, String(pid)]);
}
