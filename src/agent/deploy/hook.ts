import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { type Call, withTimeout } from "../../base/call.ts";
import { settlesWithin, systemClock } from "../../base/clock.ts";
import { DewyError } from "../../base/errors.ts";
import { linesOf } from "../../base/lines.ts";
import type { Logger } from "../../base/logger.ts";
import { signalGroup } from "../supervisor/process-group.ts";

export class HookError extends DewyError<"HOOK_FAILED"> {}

/** When a hook runs, and the command line that `sh` is given. */
export interface Hook {
  name: "before-deploy" | "after-deploy";
  command: string;
}

export interface HookParts {
  /** The directory that holds `current`; the hook is run in it. */
  directory: string;
  environment: Readonly<Record<string, string | undefined>>;
  logger: Logger;
  /** The most a hook may take; 10 minutes. */
  timeoutMs?: number;
}

/** What a hook is told of the deployment, as `DEWY_TAG` and so on. */
export interface HookFacts {
  tag: string;
  previousTag: string | undefined;
  releaseDirectory: string;
}

export type RunHook = (facts: HookFacts, call: Call) => Promise<void>;

const defaultTimeoutMs = 600_000;
const longestLine = 2_000;
/** A hook that writes without end must not fill the log. */
const mostLines = 1_000;
/** What a hook leaves running in the background may keep its output open for ever. */
const lastWordsMs = 500;

/**
 * Runs a hook to its end. Each line it writes is logged as it comes.
 *
 * The hook and everything it started are killed when it takes too long or the call ends.
 *
 * @throws {HookError} when it does not end with status 0; the command itself, which may hold secrets,
 *   is not in the message.
 */
export async function runHook(
  { name, command }: Hook,
  facts: HookFacts,
  parts: HookParts,
  call: Call,
): Promise<void> {
  const { directory, environment, logger, timeoutMs = defaultTimeoutMs } = parts;
  call.signal.throwIfAborted();
  const began = performance.now();
  const child = spawn("/bin/sh", ["-c", command], {
    cwd: directory,
    env: { ...environment, ...variablesFor(facts) },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const budget = { lines: mostLines };
  const written = [child.stdout, child.stderr].map((output) => log(name, output, budget, logger));
  const exited = once(child, "exit");

  await withTimeout(`the ${name} hook`, timeoutMs, call, async ({ signal }) => {
    const kill = () => child.pid !== undefined && signalGroup(child.pid, "SIGKILL");
    signal.addEventListener("abort", kill, { once: true });
    try {
      const [status, killer] = await exited;
      signal.throwIfAborted();
      await settlesWithin(Promise.all(written), lastWordsMs, systemClock);
      if (status !== 0) throw failed(name, status, killer);
    } finally {
      signal.removeEventListener("abort", kill);
      child.stdout.destroy();
      child.stderr.destroy();
    }
  });
  logger.info("Execute hook", { hook: name, durationMs: Math.round(performance.now() - began) });
}

function variablesFor({ tag, previousTag = "", releaseDirectory }: HookFacts) {
  return {
    DEWY_TAG: tag,
    DEWY_PREVIOUS_TAG: previousTag,
    DEWY_RELEASE_DIR: releaseDirectory,
  };
}

/** Until the output ends, or is closed under it. */
async function log(
  hook: string,
  output: Readable,
  budget: { lines: number },
  logger: Logger,
): Promise<void> {
  try {
    for await (const line of linesOf(output, longestLine)) {
      budget.lines--;
      if (budget.lines >= 0) logger.info("hook output", { hook, line });
      if (budget.lines === -1) logger.warn("the rest of the hook's output is left out", { hook });
    }
  } catch (error) {
    if (!output.destroyed) throw error;
  }
}

function failed(name: string, status: number | null, killer: string | null): HookError {
  const how = killer ? `was ended by ${killer}` : `ended with status ${status}`;
  return new HookError("HOOK_FAILED", `the ${name} hook ${how}`, {
    hint: "look at what it wrote, in the log just above",
  });
}
