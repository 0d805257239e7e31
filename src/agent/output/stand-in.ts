import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/**
 * Sleeps until this process is gone or lets it go, and then passes on what comes out of descriptors 3
 * and 4, to where this process wrote it, or to nowhere when that is gone too. So a writer neither
 * waits at a full pipe nor dies of a broken one, whatever happens to the agent. When the writers have
 * ended, it ends.
 */
const script = `
  trap '' HUP INT TERM
  read -r line
  { cat <&3 2>/dev/null || cat <&3 >/dev/null 2>&1; } &
  { cat <&4 >&2 2>/dev/null || cat <&4 >/dev/null 2>&1; } &
  exec 3<&- 4<&- >/dev/null 2>&1
  wait`;

/** Who reads an app's output when the agent does not. */
export interface StandIn {
  /** From now on it reads. */
  begin(): void;
}

/** @throws when there can be none */
export async function openStandIn(
  descriptors: [stdout: number, stderr: number, fromStdout: number, fromStderr: number],
): Promise<StandIn> {
  const child: ChildProcess = spawn("/bin/sh", ["-c", script], {
    cwd: "/",
    env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
    detached: true,
    stdio: ["pipe", ...descriptors],
  });
  child.stdin?.on("error", () => {});
  if (child.pid === undefined) await once(child, "spawn");
  child.on("error", () => {}); // it is never signalled
  child.unref();
  (child.stdin as { unref?(): void } | null)?.unref?.();
  return { begin: () => void child.stdin?.end() };
}
