import { SupervisorError } from "./supervisor-error.ts";

const seeLogs = "dewy logs shows what it wrote";

export interface WorkerExit {
  status: number | null;
  signal: NodeJS.Signals | null;
}

/** How a worker ended, as the end of a sentence that begins with it. */
export function exitPhrase({ status, signal }: WorkerExit): string {
  return signal === null ? `ended with status ${status ?? "unknown"}` : `was ended by ${signal}`;
}

/** What is said of a generation that did not stay up. */
export function startFailure(command: string, exit: WorkerExit, livedMs: number): SupervisorError {
  const lived = `${(livedMs / 1000).toFixed(1)} s`;
  return new SupervisorError(
    "START_FAILED",
    `${command} ${exitPhrase(exit)}, ${lived} after it was started`,
    { hint: hintFor(exit) },
  );
}

function hintFor({ status, signal }: WorkerExit): string {
  if (status === 0) return "keep the app in the foreground: one that forks itself away is not seen";
  if (status === 126) return "check that it was built for this operating system and processor";
  if (status === 127) return "check that the interpreter in its first line (#!) is installed";
  if (signal === "SIGKILL") return "check the kernel's log for a process killed for its memory";
  return seeLogs;
}

/** `failure`, where the app wrote nothing, or where nothing of it is kept. */
export function unspoken(
  failure: SupervisorError,
  { isKept }: { isKept: boolean },
): SupervisorError {
  if (failure.hint !== seeLogs) return failure;
  const { code, message, cause } = failure;
  const hint = isKept
    ? "it wrote nothing: start it by hand, or let it say why it ends"
    : "what it wrote is in the output of dewy itself";
  return new SupervisorError(code, message, { cause, hint });
}
