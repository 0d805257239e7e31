import { execFile } from "node:child_process";
import type { Environment } from "./environment.ts";
import { systemCodeOf } from "./errors.ts";
import type { Logger } from "./logger.ts";

/** What systemd tells a service about itself; not meant for the processes it starts. */
const ownVariables = [
  ...["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"],
  ...["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"],
];

/** `environment` for a child: what it says to systemd would be taken for the agent's own words. */
export function withoutServiceManager(environment: Environment): Environment {
  const entries = Object.entries(environment).filter(([name]) => !ownVariables.includes(name));
  return Object.fromEntries(entries);
}

/** sd_notify(3): variables such as `READY`, with their values. */
export type Assignments = Readonly<Record<string, string>>;

export interface ServiceManager {
  /** How often systemd wants a sign of life, if at all. */
  watchdogMs: number | undefined;
  /**
   * Queues assignments and returns at once. What waits behind a message that is being sent goes as
   * one, the last value of each variable.
   */
  notify(assignments: Assignments): void;
  /** Resolves once everything queued was sent, or given up. */
  settled(): Promise<void>;
}

export interface ServiceManagerParts {
  logger: Logger;
  /** Looked up on `PATH`. */
  program?: string;
}

const sendLimitMs = 5_000;

/**
 * The service manager this process was started by; `undefined` when none wants to be told.
 *
 * Node has no sockets of the kind NOTIFY_SOCKET is, so systemd's own program speaks for it: the unit
 * needs `NotifyAccess=all`, because the message comes from a child (an agent that runs as root may
 * speak under its own name, and `NotifyAccess=main` is enough).
 */
export function openServiceManager(
  environment: Environment,
  { logger, program = "systemd-notify" }: ServiceManagerParts,
): ServiceManager | undefined {
  if (!environment.NOTIFY_SOCKET) return undefined;
  let queued: Record<string, string> = {};
  let sending: Promise<void> | undefined;
  let isWarned = false;

  return {
    watchdogMs: watchdogMs(environment),
    notify(assignments) {
      queued = { ...queued, ...assignments };
      sending ??= sendAll().finally(() => {
        sending = undefined;
      });
    },
    settled: async () => await sending,
  };

  async function sendAll(): Promise<void> {
    await Promise.resolve(); // what is told in one turn goes as one message
    while (Object.keys(queued).length > 0) {
      const assignments = queued;
      queued = {};
      const failure = await send(program, assignments, environment);
      if (failure && !isWarned) warn(failure, program, logger);
      isWarned = failure !== undefined;
    }
  }
}

function send(
  program: string,
  assignments: Assignments,
  { PATH, NOTIFY_SOCKET }: Environment,
): Promise<Error | undefined> {
  const words = Object.entries(assignments).map(([name, value]) => `${name}=${oneLine(value)}`);
  const env = { ...(PATH !== undefined && { PATH }), NOTIFY_SOCKET };
  return new Promise((resolve) => {
    execFile(program, words, { env, timeout: sendLimitMs, killSignal: "SIGKILL" }, (error) =>
      resolve(error ?? undefined),
    );
  });
}

function warn(failure: Error, program: string, logger: Logger): void {
  const isMissing = systemCodeOf(failure) === "ENOENT";
  logger.warn("systemd could not be told how it goes", {
    reason: isMissing ? `${program} is not on PATH` : "the message was not taken",
    hint: isMissing
      ? "install the package systemd, or set Type=simple without WatchdogSec= in the unit"
      : "set NotifyAccess=all in the unit; outside of a unit, unset NOTIFY_SOCKET",
  });
}

/** sd_watchdog_enabled(3). */
function watchdogMs({ WATCHDOG_USEC = "", WATCHDOG_PID }: Environment): number | undefined {
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(process.pid)) return undefined;
  const microseconds = Number(WATCHDOG_USEC);
  return /^\d+$/.test(WATCHDOG_USEC) && microseconds > 0 ? microseconds / 1000 : undefined;
}

/** A line ends an assignment. */
const oneLine = (text: string): string => text.replace(/[\r\n\0]+/g, " ").slice(0, 500);
