import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { systemCodeOf } from "./errors.ts";

const psLimitMs = 5_000;

/**
 * What sets the process `pid` apart from any other that has had, or will have, the same number:
 * compare it with one that was written down to know whether the process is still the same.
 *
 * `undefined` when no such process runs; a zombie no longer runs. The text has no meaning but
 * equality. Linux: boot id and start time in clock ticks (proc(5), field 22 of `/proc/PID/stat`);
 * elsewhere the start time that ps(1) tells, which is exact to the second.
 */
export async function identityOf(pid: number): Promise<string | undefined> {
  if (!Number.isSafeInteger(pid) || pid < 1) return undefined;
  return process.platform === "linux" ? linuxIdentityOf(pid) : psIdentityOf(pid);
}

async function linuxIdentityOf(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
    return parseStat(stat, boot.trim());
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** The name, field 2, may hold spaces and parentheses: what follows begins after the last `)`. */
export function parseStat(stat: string, bootId: string): string | undefined {
  const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const startTicks = rest[18];
  if (state === "Z" || state === "X" || startTicks === undefined) return undefined;
  return `${bootId}/${startTicks}`;
}

async function psIdentityOf(pid: number): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)("ps", ["-o", "stat=,lstart=", "-p", String(pid)], {
      env: { PATH: "/bin:/usr/bin", LC_ALL: "C", TZ: "UTC" },
      timeout: psLimitMs,
    });
    const [state = "", ...started] = stdout.trim().split(/\s+/);
    return state === "" || state.startsWith("Z") ? undefined : started.join(" ");
  } catch (error) {
    if (hasExitStatus(error, 1)) return undefined;
    throw error;
  }
}

/** ESRCH: the process ended between opening its file and reading it. */
function isGone(error: unknown): boolean {
  const code = systemCodeOf(error);
  return code === "ENOENT" || code === "ESRCH";
}

function hasExitStatus(error: unknown, status: number): boolean {
  return error instanceof Error && "code" in error && error.code === status;
}
