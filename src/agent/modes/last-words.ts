import type { LastWords } from "../output/app-output.ts";
import { ProbeError } from "../readiness/probe-error.ts";
import { SupervisorError } from "../supervisor/supervisor-error.ts";
import { unspoken } from "../supervisor/worker-exit.ts";

/**
 * `error`, with what the app has written before it; `words` are missing where none are kept. That it
 * wrote nothing is said only of an app whose output was read to its end.
 */
export function withLastWords(error: unknown, words: LastWords | undefined): unknown {
  if (!(error instanceof SupervisorError || error instanceof ProbeError)) return error;
  const { lines, areAll } = words ?? { lines: [], areAll: true };
  error.logTail = lines;
  if (error instanceof ProbeError || lines.length > 0 || !areAll) return error;
  return unspoken(error, { isKept: words !== undefined });
}
