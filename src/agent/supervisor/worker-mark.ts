import { readFile } from "node:fs/promises";
import { runningMembers } from "./process-group.ts";
import type { RecordedWorker } from "./worker-record.ts";

/** What everything that a worker has started is told, and nothing else. */
export const markVariable = "DEWY_WORKER";

export function markOf({
  generation,
  startedAt,
}: Pick<RecordedWorker, "generation" | "startedAt">): string {
  return `${generation}/${startedAt}`;
}

/**
 * Whether `worker`, which has ended, has left something running in its process group. That the number
 * of the group is the same proves nothing: it is free again once a group is empty. So one of them has
 * to carry the mark, which they have inherited. False where the environment of others cannot be read.
 */
export async function hasLeft(worker: RecordedWorker): Promise<boolean> {
  const mark = `${markVariable}=${markOf(worker)}`;
  for (const pid of await runningMembers(worker.pid)) {
    if ((await environmentOf(pid)).includes(mark)) return true;
  }
  return false;
}

async function environmentOf(pid: number): Promise<string[]> {
  try {
    return (await readFile(`/proc/${pid}/environ`, "utf8")).split("\0");
  } catch {
    return []; // it has ended, or belongs to another user
  }
}
