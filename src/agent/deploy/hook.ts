import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { type Call, isEchoOf, TimeoutError, withTimeout } from "../../base/call.ts";
import { settlesWithin, systemClock } from "../../base/clock.ts";
import { messageOf, systemCodeOf } from "../../base/errors.ts";
import { linesOf } from "../../base/lines.ts";
import type { Logger } from "../../base/logger.ts";
import { concealed, type Secret } from "../../base/secret.ts";
import { secretsIn } from "../child-environment.ts";
import type { HookName, Observe } from "../event.ts";
import type { DecidedBy } from "../ledger/ledger.ts";
import { LogTailError } from "../log-tail-error.ts";
import { signalGroup } from "../supervisor/process-group.ts";

export class HookError extends LogTailError<"HOOK_FAILED" | "HOOK_NOT_STARTED"> {}

/** When a hook runs, and the command line that `sh` is given. */
export interface Hook {
  name: HookName;
  command: string;
}

export interface HookParts {
  /** The directory that holds `current`; the hook is run in it. */
  directory: string;
  environment: Readonly<Record<string, string | undefined>>;
  logger: Logger;
  observe: Observe;
  /** The most a hook may take; 10 minutes. */
  timeoutMs?: number;
}

/** What a hook is told of the deployment, as `DEWY_TAG` and so on. */
export interface HookFacts {
  tag: string;
  previousTag: string | undefined;
  releaseDirectory: string;
  by?: DecidedBy | undefined;
}

export type RunHook = (facts: HookFacts, call: Call) => Promise<void>;

const defaultTimeoutMs = 600_000;
const longestLine = 2_000;
/** A hook that writes without end must not fill the log. */
const mostLines = 1_000;
const longestTail = 50;
/** What a hook leaves running in the background may keep its output open for ever. */
const lastWordsMs = 500;
/**
 * Runs `$1` with somebody beside it who waits for a line. Who hears the end of the pipe instead has
 * lost the agent, and ends the hook and everything it started: the next agent runs it again, and two
 * of them at a time may be one migration too many.
 */
const guarded =
  '(exec >/dev/null 2>&1; (read -r line <&3 || kill -KILL 0) &); exec 3<&-; exec /bin/sh -c "$1"';

/**
 * Runs a hook to its end. Each line it writes is logged as it comes, without the agent's own secrets.
 *
 * The hook and everything it started are killed when it takes too long, the call ends, or this
 * process is killed.
 *
 * @throws {HookError} when it does not end with status 0; the command itself, which may hold secrets,
 *   is not in the message.
 */
export async function runHook(
  hook: Hook,
  facts: HookFacts,
  parts: HookParts,
  call: Call,
): Promise<void> {
  call.signal.throwIfAborted();
  const { name, command } = hook;
  const began = performance.now();
  const ended = (failure: { error?: unknown }) => {
    const durationMs = Math.round(performance.now() - began);
    const message = "error" in failure ? "Execute hook failed" : "Execute hook";
    parts.logger.info(message, { hook: name, command, durationMs, ...failure });
    const { tag, by } = facts;
    parts.observe({ type: "hook ended", hook: name, tag, by, durationMs, ...failure });
  };
  try {
    await runToEnd(hook, facts, parts, call);
    ended({});
  } catch (error) {
    if (!isEchoOf(call.signal, error)) ended({ error });
    throw error;
  }
}

async function runToEnd(hook: Hook, facts: HookFacts, parts: HookParts, call: Call): Promise<void> {
  const { name } = hook;
  const { logger, timeoutMs = defaultTimeoutMs } = parts;
  const { pid, exited, outputs, guard } = start(hook, facts, parts);
  const secrets = secretsIn(parts.environment);
  const kept = { budget: { lines: mostLines }, secrets, tail: [] as string[], isAll: false };
  const written = outputs.map(([stream, output]) =>
    log({ hook: name, stream }, output, kept, logger),
  );

  const ended = withTimeout(`the ${name} hook`, timeoutMs, call, async ({ signal }) => {
    const kill = () => pid !== undefined && signalGroup(pid, "SIGKILL");
    signal.addEventListener("abort", kill, { once: true });
    try {
      const [status, killer] = await exited;
      signal.throwIfAborted();
      kept.isAll = await settlesWithin(Promise.all(written), lastWordsMs, systemClock);
      if (status !== 0) throw failed(name, status, killer, kept);
    } finally {
      signal.removeEventListener("abort", kill);
      for (const [, output] of outputs) output.destroy();
      guard?.end("\n");
    }
  });
  await ended.catch((error) => {
    throw error instanceof HookError || error instanceof TimeoutError
      ? withTail(error, kept)
      : error;
  });
}

/** A hook that takes too long has failed like one that says so. */
function withTail(error: HookError | TimeoutError, kept: KeptOutput): HookError {
  const { message, hint = hintOf(kept) } = error;
  const failure =
    error instanceof HookError
      ? error
      : new HookError("HOOK_FAILED", message, { cause: error, hint });
  failure.logTail = kept.tail;
  return failure;
}

function start({ name, command }: Hook, facts: HookFacts, { directory, environment }: HookParts) {
  const child = spawn("/bin/sh", ["-c", guarded, "sh", command], {
    cwd: directory,
    env: { ...environment, ...variablesFor(facts) },
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const exited = once(child, "exit").catch((cause) => {
    throw unstarted(name, cause);
  });
  // Where the system has no process or file left to give, there are no pipes.
  const guard = child.stdio?.[3] as Writable | undefined;
  guard?.on("error", () => {}); // its reader was killed with the rest
  const outputs = Object.entries({ stdout: child.stdout, stderr: child.stderr }).filter(
    (pair): pair is [string, Readable] => !!pair[1],
  );
  return { pid: child.pid, exited, outputs, guard };
}

function variablesFor({ tag, previousTag = "", releaseDirectory }: HookFacts) {
  return {
    DEWY_TAG: tag,
    DEWY_PREVIOUS_TAG: previousTag,
    DEWY_RELEASE_DIR: releaseDirectory,
  };
}

interface KeptOutput {
  budget: { lines: number };
  secrets: readonly Secret[];
  tail: string[];
  /** Whether the output was read to its end. */
  isAll: boolean;
}

/** Until the output ends, or is closed under it. */
async function log(
  from: { hook: string; stream: string },
  output: Readable,
  { budget, secrets, tail }: KeptOutput,
  logger: Logger,
): Promise<void> {
  try {
    for await (const line of linesOf(output, longestLine)) {
      budget.lines--;
      const shown = concealed(line, secrets);
      tail.push(shown);
      if (tail.length > longestTail) tail.shift();
      if (budget.lines >= 0) logger.info("hook output", { ...from, line: shown });
      if (budget.lines === -1) logger.warn("the rest of the hook's output is left out", from);
    }
  } catch (error) {
    if (!output.destroyed) throw error;
  }
}

function unstarted(name: string, cause: unknown): HookError {
  const reason = systemCodeOf(cause) ?? messageOf(cause);
  return new HookError("HOOK_NOT_STARTED", `the ${name} hook could not be started (${reason})`, {
    cause,
    hint: "check the directory, and how many files and processes dewy may have",
  });
}

function failed(
  name: string,
  status: number | null,
  killer: string | null,
  kept: KeptOutput,
): HookError {
  const how = killer ? `was ended by ${killer}` : `ended with status ${status}`;
  return new HookError("HOOK_FAILED", `the ${name} hook ${how}`, { hint: hintOf(kept) });
}

function hintOf({ tail, isAll }: KeptOutput): string {
  if (tail.length > 0) return "look at what it wrote, in the log of dewy";
  const advice = "run it by hand, or let it say what it does";
  return isAll ? `it wrote nothing: ${advice}` : advice;
}
