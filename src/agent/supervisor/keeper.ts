import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { type Call, isEchoOf, withTimeout } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { backoffMs } from "../../base/retry.ts";
import { keeperArguments } from "./keeper-program.ts";
import { endAtOnce, type ListeningSocket } from "./listening-socket.ts";
import { SupervisorError } from "./supervisor-error.ts";

/** A process that holds this one's sockets, for an agent to come. */
export interface Keeper {
  /** Whether it is there. One that was killed is replaced at once. */
  readonly isThere: boolean;
  /** Lets it wait for the next agent, or end after a minute in which none has come. */
  leave(): void;
  /** Resolves when it has ended, and with it its hold on the sockets. */
  end(): Promise<void>;
}

interface KeeperOptions {
  /** Where its socket is; nobody but the agent's user may get there. */
  directory: string;
  sockets: readonly ListeningSocket[];
  /** How long it waits for the next agent, once it is left. */
  lingerMs?: number | undefined;
  clock: Clock;
  logger: Logger;
}

const startLimitMs = 30_000;

const restartBackoff = { firstMs: 100, maximumMs: 60_000 };

/** Who lived this long did not die of its start. */
const steadyMs = 60_000;

/**
 * Resolves when the keeper has its name in `directory`, or cannot be started: that is warned about, and
 * tried again later and later, as an app without a keeper is better than none.
 */
export async function openKeeper(options: KeeperOptions, call: Call): Promise<Keeper> {
  const { clock, logger } = options;
  const ended = new AbortController();
  let child = await attempted(options, call);
  const watching = keepUp().catch((error) => {
    if (!isEchoOf(ended.signal, error)) throw error;
  });

  async function keepUp(): Promise<void> {
    let failures = 0;
    for (;;) {
      const since = performance.now();
      if (child) {
        await hasEnded(child);
        ended.signal.throwIfAborted();
        logger.warn("The keeper of the ports has ended; another one takes its place");
      }
      failures = performance.now() - since < steadyMs ? failures + 1 : 1;
      child = undefined;
      await clock.sleep(backoffMs(restartBackoff, failures), ended);
      child = await attempted(options, ended);
    }
  }

  return {
    get isThere() {
      return child !== undefined && child.exitCode === null && child.signalCode === null;
    },
    leave() {
      ended.abort();
      child?.stdin?.end();
    },
    async end() {
      ended.abort();
      if (child) await endAtOnce(child);
      await watching;
    },
  };
}

async function attempted(options: KeeperOptions, call: Call): Promise<ChildProcess | undefined> {
  try {
    return await withTimeout("starting the keeper of the ports", startLimitMs, call, (limited) =>
      started(options, limited),
    );
  } catch (error) {
    if (isEchoOf(call.signal, error)) throw error;
    options.logger.warn("The ports have no keeper: without the agent they would be closed", {
      error,
    });
    return undefined;
  }
}

/** In a session of its own, so that whoever ends the agent's process group leaves it alone. */
async function started(
  { directory, sockets, lingerMs }: KeeperOptions,
  { signal }: Call,
): Promise<ChildProcess> {
  signal.throwIfAborted();
  const ports = sockets.map(({ port }) => port);
  const child = spawn(process.execPath, keeperArguments(ports, lingerMs), {
    cwd: directory,
    env: {},
    detached: true,
    stdio: ["pipe", "pipe", "ignore", ...sockets.map(({ fd }) => fd)],
  });
  try {
    await announced(child, signal);
  } catch (error) {
    await endAtOnce(child);
    throw error;
  }
  child.unref();
  for (const pipe of [child.stdin, child.stdout]) (pipe as Socket | null)?.unref();
  return child;
}

async function announced(child: ChildProcess, signal: AbortSignal): Promise<void> {
  child.stdin?.on("error", () => {}); // it has ended, which its exit tells
  const ended = hasEnded(child).then(() => "it ended");
  const said = once(child.stdout as Socket, "data", { signal }).then(String);
  const word = await Promise.race([said, ended]);
  if (word !== "kept") {
    throw new SupervisorError("SPAWN_FAILED", `the keeper of the ports cannot start: ${word}`);
  }
}

async function hasEnded(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await once(child, "exit");
}
