import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Call } from "../../base/call.ts";
import type { Environment } from "../../base/environment.ts";
import { messageOf } from "../../base/errors.ts";
import { signalGroup } from "../supervisor/process-group.ts";
import type { ProbeTarget } from "./health.ts";
import { ProbeError } from "./probe-error.ts";

export interface CommandPlace {
  directory: string;
  environment: Environment;
}

/**
 * Runs a command line by `sh`, which is told the release and the process it is about. It and all it
 * started are killed when the call ends.
 *
 * @throws {ProbeError} unless it ends with status 0
 */
export async function askByCommand(
  command: string,
  { directory, environment }: CommandPlace,
  { tag, pid }: ProbeTarget,
  { signal }: Call,
): Promise<void> {
  signal.throwIfAborted();
  const about = { DEWY_TAG: tag, ...(pid !== undefined && { DEWY_PID: String(pid) }) };
  const child = spawn("/bin/sh", ["-c", command], {
    ...{ cwd: directory, env: { ...environment, ...about }, detached: true, stdio: "ignore" },
  });
  const kill = () => child.pid !== undefined && signalGroup(child.pid, "SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  try {
    const [status, killer] = await once(child, "exit");
    if (signal.aborted) throw new ProbeError("NO_ANSWER", "the health command did not end");
    if (status === 0) return;
    const how = killer === null ? `ended with status ${status}` : `was ended by ${killer}`;
    throw new ProbeError("WRONG_ANSWER", `the health command ${how}`);
  } catch (cause) {
    if (cause instanceof ProbeError) throw cause;
    throw new ProbeError("NO_ANSWER", `the health command: ${messageOf(cause)}`, { cause });
  } finally {
    signal.removeEventListener("abort", kill);
  }
}
