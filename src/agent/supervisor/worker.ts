import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import type { Call } from "../../base/call.ts";
import { type Clock, settlesWithin } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { identityOf } from "../../base/process-identity.ts";
import type { Notification, OpenNotification } from "../readiness/notification.ts";
import { findCommand } from "./command-path.ts";
import { launcherFor } from "./launcher.ts";
import type { Listeners } from "./listeners.ts";
import { endGroup, type GroupEnding, killLimitMs, signalGroup } from "./process-group.ts";
import { SupervisorError } from "./supervisor-error.ts";
import { workerEnvironment } from "./worker-environment.ts";
import type { WorkerExit } from "./worker-exit.ts";
import { markOf, markVariable } from "./worker-mark.ts";
import type { WorkerRecord } from "./worker-record.ts";

/** What each generation is started from. */
export interface WorkerPlan {
  command: readonly [string, ...string[]];
  /** The working directory, and what a relative command is looked up in. */
  directory: string;
  environment: Environment;
  listeners: Pick<Listeners, "sockets">;
  /** How long a worker that was told to stop may take, before all of its group is killed. */
  drainMs: number;
  record: WorkerRecord;
  clock: Clock;
  logger: Logger;
  /** Where it writes; where the agent does, when there is no such place. */
  output?: OpenOutput | undefined;
  /** Where it says that it is ready. */
  notify?: OpenNotification | undefined;
}

/** Makes a place for what one generation writes. */
export type OpenOutput = (generation: number, call: Call) => Promise<WorkerOutput | undefined>;

export interface WorkerOutput {
  readonly stdout: number;
  readonly stderr: number;
  /** The worker has them now, or never will. */
  given(): void;
}

/** One generation of the app: a process group, led by the process that the command became. */
export interface Worker {
  readonly pid: number;
  readonly generation: number;
  readonly since: Date;
  /** What it says of itself; `undefined` where nobody asked for it, or nobody can listen. */
  readonly notification: Notification | undefined;
  /** Settles when the leader ends, and never rejects. */
  readonly exited: Promise<WorkerExit>;
  /** After `exited`, when nothing of its group is left or can be got rid of; never rejects. */
  readonly gone: Promise<GroupEnding>;
  /** Since it was started, by the plan's clock. */
  livedMs(): number;
  /** SIGTERM to the leader; after the drain time, SIGKILL to the group. Told twice, stops once. */
  stop(): Promise<GroupEnding>;
  /** SIGTERM to the leader, and no more of this process's time. It stays in the record. */
  leave(): Promise<void>;
}

/**
 * Starts the command, found anew each time, because what its path leads to may have moved.
 *
 * It runs only after it has been recorded: until then a shell stands in its place and waits for one
 * line. When this process is killed meanwhile, the shell reads the end of the pipe and leaves. So
 * there is no moment at which a worker lives that no record names.
 *
 * @throws {SupervisorError} `COMMAND_NOT_FOUND`, `NOT_EXECUTABLE`, `SPAWN_FAILED`
 */
export async function startWorker(
  plan: WorkerPlan,
  generation: number,
  { signal }: Call,
): Promise<Worker> {
  signal.throwIfAborted();
  const { command, directory, listeners, logger } = plan;
  const { PATH: searchPath } = plan.environment;
  const program = await findCommand(command[0], { directory, searchPath });
  const since = plan.clock.now();
  const environment = {
    ...workerEnvironment(plan.environment, listeners.sockets, generation),
    [markVariable]: markOf({ generation, startedAt: since.toISOString() }),
  };
  const { shell, script } = await launcherFor(environment, logger);
  signal.throwIfAborted();
  const output = await plan.output?.(generation, { signal });
  const notification = await notificationOf(plan, { signal });

  const { child, pid } = await spawned(`${program} in ${directory}`, () =>
    spawn(shell, [...script, "dewy", program, ...command.slice(1)], {
      cwd: directory,
      env: { ...environment, ...notification?.variables },
      detached: true,
      stdio: descriptorsOf(output, listeners.sockets, notification),
    }),
  )
    .catch((error) => {
      notification?.close();
      throw error;
    })
    .finally(() => {
      output?.given();
      notification?.given();
    });
  const worker = new ChildWorker(child, { pid, generation, since }, plan, notification);
  await worker.enroll();
  if (signal.aborted) {
    await worker.stop();
    throw signal.reason;
  }
  child.stdin?.end("\n");
  return worker;
}

/** An app whose word cannot be heard is started all the same: whoever waits for it finds none. */
async function notificationOf(
  { notify, logger }: WorkerPlan,
  call: Call,
): Promise<Notification | undefined> {
  try {
    return await notify?.(call);
  } catch (error) {
    call.signal.throwIfAborted();
    logger.warn("Nobody can listen to whether the app is ready", { error });
    return undefined;
  }
}

function descriptorsOf(
  output: WorkerOutput | undefined,
  sockets: Listeners["sockets"],
  notification: Notification | undefined,
): StdioOptions {
  const { stdout = "inherit", stderr = "inherit" } = output ?? {};
  const descriptors: (number | "pipe" | "inherit" | "ignore")[] = [
    ...(["pipe", stdout, stderr] as const),
    ...sockets.map(({ fd }) => fd),
  ];
  const { inherited } = notification ?? {};
  if (!inherited) return descriptors;
  while (descriptors.length < inherited.number) descriptors.push("ignore");
  return [...descriptors, inherited.fd];
}

/** Some errors of spawn are thrown at once, others arrive as an event. */
async function spawned(what: string, begin: () => ChildProcess) {
  try {
    const child = begin();
    if (child.pid === undefined) await once(child, "spawn");
    child.stdin?.on("error", () => {}); // the shell has ended, which its exit tells
    return { child, pid: child.pid ?? Number.NaN };
  } catch (error) {
    throw new SupervisorError("SPAWN_FAILED", `cannot start ${what}: ${messageOf(error)}`, {
      cause: error,
      hint: "check that the directory exists, and that the limits on processes allow another one",
    });
  }
}

class ChildWorker implements Worker {
  readonly pid: number;
  readonly generation: number;
  readonly since: Date;
  readonly notification: Notification | undefined;
  readonly exited: Promise<WorkerExit>;
  readonly gone: Promise<GroupEnding>;
  readonly #child: ChildProcess;
  readonly #plan: WorkerPlan;
  #identity: string | undefined;
  #stopping: Promise<GroupEnding> | undefined;
  #stopAtMs: number | undefined;

  constructor(
    child: ChildProcess,
    { pid, generation, since }: Pick<Worker, "pid" | "generation" | "since">,
    plan: WorkerPlan,
    notification: Notification | undefined,
  ) {
    this.#child = child;
    this.notification = notification;
    this.#plan = plan;
    this.pid = pid;
    this.generation = generation;
    this.since = since;
    this.exited = new Promise((resolve) => {
      child.once("exit", (status, signal) => resolve({ status, signal }));
    });
    child.on("error", (error) => plan.logger.warn("A worker cannot be signalled", { pid, error }));
    void this.exited.then(() => notification?.close());
    this.gone = this.exited.then(() => this.#finish());
  }

  livedMs(): number {
    return this.#plan.clock.now().getTime() - this.since.getTime();
  }

  stop(): Promise<GroupEnding> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async leave(): Promise<void> {
    this.notification?.close();
    this.#child.kill("SIGTERM");
    this.#child.unref();
    await this.#markEnding();
  }

  /** A full disk does not keep the app down: then only a kill of the agent leaves an orphan. */
  async enroll(): Promise<void> {
    const { pid, generation, since } = this;
    try {
      this.#identity = await identityOf(pid);
      if (this.#identity === undefined) return;
      const startedAt = since.toISOString();
      await this.#plan.record.add({ pid, identity: this.#identity, generation, startedAt });
    } catch (error) {
      this.#plan.logger.warn("A worker cannot be recorded", { pid, generation, error });
    }
  }

  async #stop(): Promise<GroupEnding> {
    const { clock, drainMs } = this.#plan;
    this.#stopAtMs = clock.now().getTime() + drainMs;
    this.#child.kill("SIGTERM");
    void this.#markEnding();
    if (await settlesWithin(this.exited, drainMs, clock)) return this.gone;
    signalGroup(this.pid, "SIGKILL");
    return (await settlesWithin(this.gone, killLimitMs, clock)) ? "cut" : "stuck";
  }

  async #finish(): Promise<GroupEnding> {
    const { clock, drainMs, logger } = this.#plan;
    const nowMs = clock.now().getTime();
    const leftMs = (this.#stopAtMs ?? nowMs + drainMs) - nowMs;
    const graceMs = Math.min(drainMs, Math.max(0, leftMs)); // the clock may have been set back
    const { pid } = this;
    try {
      const ending = await endGroup(pid, { graceMs, clock });
      if (ending !== "stuck") await this.#leave();
      return ending;
    } catch (error) {
      logger.warn("What is left of a worker is not known", { pid, error });
      return "stuck";
    }
  }

  async #markEnding(): Promise<void> {
    const { pid } = this;
    if (this.#identity === undefined) return;
    try {
      await this.#plan.record.markEnding({ pid, identity: this.#identity });
    } catch (error) {
      this.#plan.logger.warn("The record of workers cannot be written", { pid, error });
    }
  }

  /** A line too many in the record is harmless: the identity tells that the process has ended. */
  async #leave(): Promise<void> {
    const { pid } = this;
    if (this.#identity === undefined) return;
    try {
      await this.#plan.record.remove({ pid, identity: this.#identity });
    } catch (error) {
      this.#plan.logger.warn("The record of workers cannot be written", { pid, error });
    }
  }
}
