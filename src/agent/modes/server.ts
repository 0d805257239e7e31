import { join } from "node:path";
import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { asConfigError, ConfigError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { Started } from "../deploy/activate.ts";
import type { Releases } from "../deploy/releases.ts";
import type { Observe, StartReason } from "../event.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { openAppOutput } from "../output/app-output.ts";
import type { HealthOptions } from "../readiness/health.ts";
import { openNotify } from "../readiness/notification.ts";
import type { Replacement } from "../supervisor/candidate.ts";
import { openKeptPorts } from "../supervisor/kept-ports.ts";
import type { openListeners } from "../supervisor/listeners.ts";
import { someAlive } from "../supervisor/orphans.ts";
import { openServedPorts } from "../supervisor/served-ports.ts";
import { openSupervisor } from "../supervisor/supervisor.ts";
import { SupervisorError } from "../supervisor/supervisor-error.ts";
import { takeOver } from "../supervisor/takeover.ts";
import type { WorkerRecord } from "../supervisor/worker-record.ts";
import { withLastWords } from "./last-words.ts";
import type { RunningMode } from "./mode.ts";
import { openProving } from "./proving.ts";
import { refuseConnections } from "./refusal.ts";

export interface ServerModeOptions {
  ports: readonly number[];
  command: readonly string[];
  directory: string;
  environment: Environment;
  drainMs: number;
  /** How a new release proves itself; without it, by staying up for a second. */
  health?: HealthOptions | undefined;
  /** Whether the last of what the app writes is kept. */
  keepOutput?: boolean | undefined;
  /** Whether the app is left to the next agent when this process ends. */
  handover: boolean;
}

export interface ServerModeParts {
  releases: Releases;
  ledger: Ledger;
  record: WorkerRecord;
  clock: Clock;
  logger: Logger;
  observe: Observe;
  /** Where the ports are not this app's alone to open and close. */
  listen?: typeof openListeners;
  /** Whether this process ends, and not just this app. */
  isLast: () => boolean;
}

/**
 * `dewy server`: one process, replaced on its listening sockets.
 *
 * @throws {ConfigError} for a port that cannot be had, or when there is no command
 */
export async function openServerMode(
  { command: [program, ...args], ports, health, ...options }: ServerModeOptions,
  parts: ServerModeParts,
  call: Call,
): Promise<RunningMode> {
  if (program === undefined) throw new ConfigError("there is no command to run");
  const { record, logger, clock, ledger } = parts;
  const { drainMs, handover } = options;
  if (handover && process.pid === 1) throw nothingOutlives();
  const notify = health?.notify && (await openNotify(health.notify, options));
  const kept = openKeptPorts({ ...parts, handover, directory: join(options.directory, ".dewy") });
  const { listeners, endPredecessors } = await takeOver(
    { ports, record, drainMs, logger, clock, listen: kept.listen },
    call,
  ).catch(refusePort);
  const served = openServedPorts({ listeners, kept, ports, logger });
  const proving = openProving({ ...options, ports: served.ports, health }, parts);
  const activeTag = () => ledger.state.active?.tag;
  /** Whoever an earlier agent has left serves until a release of this one does. */
  const left = listeners.outlive ? record.workers : [];
  const output =
    (options.keepOutput ?? true)
      ? await openAppOutput({ ...parts, ...options, tag: startedTag })
      : undefined;
  const supervisor = openSupervisor({
    ...{ output: output?.open, notify },
    ...{ ...options, command: [program, ...args], listeners: served, record, logger, clock },
    minimumUptimeMs: health?.minimumUptimeMs ?? 1_000,
    onDeath(how) {
      parts.observe({ type: "app died", how });
      tellDeath(how);
    },
    onReturn: (pid) => tellStarted("death", activeTag(), pid),
    onService: () => void endPredecessors().catch(logPredecessors),
    onIdle: () => void refuseConnections(refusal).catch(logUnclosed),
  });
  const refusal = {
    ...{ served, kept, logger },
    isHeld: () => someAlive(left),
    isNeeded: () => isServed || !supervisor.isIdle,
  };
  /** Whether a release is in service, or was and will be again. */
  let isServed = false;
  let tellDeath = (_how: string) => {};
  const isNew = activeTag() === undefined;
  /** Who waits on ports that were open before has the first poll's time. */
  let mayBeAwaited = listeners.wereOpen;

  return {
    start: ({ tag, ...each }) => startProved(tag, each),
    keepRunning,
    restart,
    goBack(tag, each) {
      isServed = true;
      return begun("rollback", tag, each);
    },
    onDeath(listener) {
      tellDeath = listener;
    },
    lastWords,
    async close() {
      if (handover && parts.isLast() && kept.outlive) {
        await supervisor.leave();
        served.leave();
        await output?.leave();
      } else {
        await supervisor.stop();
        await served.close();
        await output?.close();
      }
    },
  };

  /**
   * Once. Where that fails, it is tried again beside whatever is asked and fetched meanwhile: a
   * registry that is down, or an artifact that takes an hour, must not keep the host without its app.
   */
  async function keepRunning(each: Call): Promise<void> {
    if (isServed) return;
    const current = await parts.releases.current();
    if (!current?.complete) {
      if (isNew && !mayBeAwaited) await refuseConnections(refusal);
      mayBeAwaited = false;
      return;
    }
    isServed = true;
    await begun("boot", tagIn(current.directory), each);
  }

  async function begun(reason: StartReason, tag: string | undefined, each: Call): Promise<void> {
    try {
      await bringUp(reason, tag, each);
    } catch (error) {
      if (isEchoOf(each.signal, error)) throw error;
      logger.error("the last good release could not be started", { tag, error });
      supervisor.keepTrying();
    }
  }

  async function startProved(tag: string, each: Call): Promise<Started & { pid: number }> {
    const rivalPid = supervisor.running?.pid;
    const about = ({ pid, notification }: Pick<Replacement, "pid" | "notification">) => {
      if (notify && !notification) throw unheard();
      return { tag, pid, rivalPid, notification };
    };
    const replacement = await supervisor
      .start(each, async (candidate, own) => proving.ready(about(candidate), own))
      .catch(throwWithLastWords);
    const { pid, generation, failed } = replacement;
    return {
      ...{ pid, generation, failed },
      bake: (own) => proving.bake(about(replacement), failed, own).catch(throwWithLastWords),
      commit() {
        replacement.commit();
        isServed = true;
      },
      undo: () => replacement.undo(),
    };
  }

  async function restart(each: Call): Promise<void> {
    const current = await parts.releases.current();
    if (!current?.complete) return logger.warn("Nothing to restart: nothing is deployed yet");
    logger.info("Server restarts, as it was told to");
    const tag = tagIn(current.directory);
    tellUp("signal", tag, await startProved(tag ?? "", each));
  }

  /** Without a proof: an app that is slow to answer is better than none. */
  async function bringUp(reason: StartReason, tag: string | undefined, each: Call): Promise<void> {
    tellUp(reason, tag, await supervisor.start(each));
  }

  function tellUp(
    reason: StartReason,
    tag: string | undefined,
    started: Started & { pid: number },
  ): void {
    started.commit();
    const { pid, generation } = started;
    logger.info("Start server", { tag, pid, generation, reason });
    tellStarted(reason, tag, pid);
  }

  async function lastWords(): Promise<readonly string[]> {
    return (await output?.lastWords())?.lines ?? [];
  }

  async function throwWithLastWords(error: unknown): Promise<never> {
    throw withLastWords(error, await output?.lastWords());
  }

  /** Of what `current` leads to: a release in service, or the one that is being tried. */
  async function startedTag(): Promise<string | undefined> {
    const current = await parts.releases.current();
    const { attempt, releases } = ledger.state;
    return [attempt, ...releases].find((one) => one?.directory === current?.directory)?.tag;
  }

  function logPredecessors(error: unknown): void {
    logger.error("Workers of an earlier run cannot be ended", { error });
  }

  function logUnclosed(error: unknown): void {
    logger.error("The ports cannot be closed", { error });
  }

  function tellStarted(reason: StartReason, tag: string | undefined, pid: number): void {
    parts.observe({ type: "app started", reason, tag, pid });
  }

  /** What `current` names may be none of ours, where the ledger was lost. */
  function tagIn(directory: string): string | undefined {
    const { active } = ledger.state;
    return active?.directory === directory ? active.tag : undefined;
  }
}

function nothingOutlives(): ConfigError {
  return new ConfigError("--handover: nothing outlives the first process of a container", {
    hint: "leave it out, and replace the container; or let a supervisor in it start dewy",
  });
}

/** It has been logged why. */
function unheard(): SupervisorError {
  return new SupervisorError("SPAWN_FAILED", "nobody can listen to whether the app is ready", {
    hint: "see the warning just above; /tmp and the directory of the app have to be writable",
  });
}

/** A port that cannot be had is a mistake in the command line, as far as this start is concerned. */
function refusePort(error: unknown): never {
  throw error instanceof SupervisorError ? asConfigError(error) : error;
}
