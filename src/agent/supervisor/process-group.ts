import { readdir, readFile } from "node:fs/promises";
import type { Clock } from "../../base/clock.ts";
import { systemCodeOf } from "../../base/errors.ts";

const pollMs = 100;

/** How long what was killed may take to be gone: longer only in uninterruptible sleep. */
export const killLimitMs = 5_000;

/** Sends `name` to each process of `group`; whether there was one that could be reached. */
export function signalGroup(group: number, name: "SIGTERM" | "SIGKILL"): boolean {
  try {
    return process.kill(-group, name);
  } catch (error) {
    if (systemCodeOf(error) === "ESRCH" || systemCodeOf(error) === "EPERM") return false;
    throw error;
  }
}

export type GroupEnding = "drained" | "cut" | "stuck";

/**
 * Ends what is left of a process group whose leader has ended: asked at once, killed after `graceMs`.
 * The number cannot have gone to another group meanwhile, as long as somebody is left in this one.
 */
export async function endGroup(
  group: number,
  { graceMs, clock }: { graceMs: number; clock: Clock },
): Promise<GroupEnding> {
  if (!(await groupLives(group))) return "drained";
  signalGroup(group, "SIGTERM");
  if (await groupEndsWithin(group, graceMs, clock)) return "drained";
  signalGroup(group, "SIGKILL");
  return (await groupEndsWithin(group, killLimitMs, clock)) ? "cut" : "stuck";
}

async function groupEndsWithin(group: number, ms: number, clock: Clock): Promise<boolean> {
  const { signal } = new AbortController();
  let leftMs = ms; // counted, and not told by the time of day, which may be set back meanwhile
  while (await groupLives(group)) {
    if (leftMs <= 0) return false;
    await clock.sleep(Math.min(pollMs, leftMs), { signal });
    leftMs -= pollMs;
  }
  return true;
}

/** Whether `group` has a member that still runs. Zombies do not: in a container nobody may reap them. */
async function groupLives(group: number): Promise<boolean> {
  try {
    process.kill(-group, 0);
  } catch (error) {
    return systemCodeOf(error) === "EPERM";
  }
  return process.platform === "linux" ? (await runningMembers(group)).length > 0 : true;
}

/** The processes of `group` that still run, on Linux; elsewhere nobody tells. */
export async function runningMembers(group: number): Promise<number[]> {
  if (process.platform !== "linux") return [];
  const members: number[] = [];
  for (const name of await readdir("/proc")) {
    if (/^\d+$/.test(name) && isRunningIn(group, await statOf(name))) members.push(Number(name));
  }
  return members;
}

/** proc(5): state, parent and group follow the name, which may hold spaces and parentheses. */
function isRunningIn(group: number, stat: string): boolean {
  const [state = "Z", , memberOf] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(memberOf) === group && state !== "Z" && state !== "X";
}

async function statOf(pid: string): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/stat`, "utf8");
  } catch {
    return ""; // it has ended since the directory was read
  }
}
