import { type Call, isEchoOf } from "../../base/call.ts";
import { type Clock, systemClock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import type { Logger } from "../../base/logger.ts";
import type { OpenNotification } from "../readiness/notification.ts";
import { Candidate, type Replacement } from "./candidate.ts";
import type { Listeners } from "./listeners.ts";
import { Revival } from "./revival.ts";
import { SupervisorError } from "./supervisor-error.ts";
import { type OpenOutput, startWorker, type Worker } from "./worker.ts";
import { exitPhrase, type WorkerExit } from "./worker-exit.ts";
import type { WorkerRecord } from "./worker-record.ts";

export interface SupervisorOptions {
  command: readonly [string, ...string[]];
  /** The working directory of the app, and what a relative command starts from. */
  directory: string;
  environment: Environment;
  /** What is opened before each start, where it may be closed. */
  listeners: Pick<Listeners, "sockets"> & { open?(call: Call): Promise<void> };
  record: WorkerRecord;
  logger: Logger;
  /** How long an older generation may finish what it has begun. */
  drainMs?: number;
  /** How long a new generation has to stay up before it counts as started. */
  minimumUptimeMs?: number;
  clock?: Clock;
  /** See `WorkerPlan`. */
  output?: OpenOutput | undefined;
  notify?: OpenNotification | undefined;
  /** The committed generation has died, `how` it did: "ended with status 1". */
  onDeath?: (how: string) => void;
  /** It was started again by itself. */
  onReturn?: (pid: number) => void;
  /** A generation is in service, whatever put it there. */
  onService?: () => void;
  /** It has become idle. */
  onIdle?: () => void;
}

/** Resolves once the new generation can do its work. */
export type Ready = (
  candidate: Pick<Replacement, "pid" | "notification">,
  call: Call,
) => Promise<void>;

/** Keeps one app up, and replaces it without closing its sockets. */
export interface Supervisor {
  /** The committed generation; `undefined` before the first, and between a death and a restart. */
  readonly running: { pid: number; generation: number; since: Date } | undefined;
  /** Nothing of the app runs, is being started or will be by itself, though it was not stopped. */
  readonly isIdle: boolean;
  /**
   * Brings up a new generation beside the old one, and resolves once it has stayed up for the minimum
   * uptime and is `ready`. Waits for nobody that drains. When it rejects, the old generation has not been touched.
   *
   * @throws {SupervisorError} `START_FAILED`, `SPAWN_FAILED`, `COMMAND_NOT_FOUND`, `NOT_EXECUTABLE`, `STOPPED`
   */
  start(call: Call, ready?: Ready): Promise<Replacement>;
  /**
   * Starts what the command leads to, later and later, until it runs or something else has been
   * committed. For the last good release of a host that did not come up at once.
   */
  keepTrying(): void;
  /** SIGTERM to all generations; resolves when they have drained or their time was over. */
  stop(): Promise<void>;
  /**
   * SIGTERM to all generations, and nothing more: whoever opens their record next sees to it that they
   * end. Nothing of them keeps this process from ending.
   */
  leave(): Promise<void>;
}

export function openSupervisor(options: SupervisorOptions): Supervisor {
  return new ProcessSupervisor({
    drainMs: 30_000,
    minimumUptimeMs: 1_000,
    clock: systemClock,
    onDeath: () => {},
    onService: () => {},
    onIdle: () => {},
    onReturn: () => {},
    ...{ output: undefined, notify: undefined },
    ...options,
  });
}

class ProcessSupervisor implements Supervisor {
  readonly #options: Required<SupervisorOptions>;
  readonly #stopped = new AbortController();
  readonly #undecided = new Set<Candidate>();
  /** Starts, drains and restarts under way: what `stop` waits for. */
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #revival: Revival;
  #generation = 0;
  #committed: Worker | undefined;

  constructor(options: Required<SupervisorOptions>) {
    this.#options = options;
    this.#revival = new Revival({
      ...{ clock: options.clock, logger: options.logger, stopped: this.#stopped.signal },
      decided: (call) => this.#decided(call),
      launch: (call) => this.#relaunch(call),
    });
  }

  get running() {
    if (!this.#committed) return undefined;
    const { pid, generation, since } = this.#committed;
    return { pid, generation, since };
  }

  get isIdle() {
    if (this.#stopped.signal.aborted || this.#committed) return false;
    return this.#undecided.size === 0 && this.#underWay.size === 0;
  }

  start({ signal }: Call, ready?: Ready): Promise<Replacement> {
    const either = AbortSignal.any([signal, this.#stopped.signal]);
    return this.#keep(this.#start({ signal: either }, ready));
  }

  async leave(): Promise<void> {
    this.#stopped.abort();
    const workers = [...this.#undecided].map(({ worker }) => worker);
    if (this.#committed) workers.push(this.#committed);
    this.#committed = undefined;
    await Promise.all(workers.map((worker) => worker.leave()));
  }

  keepTrying(): void {
    if (this.#committed || this.#stopped.signal.aborted) return;
    this.#revival.noteDeath(0);
    void this.#keep(this.#revival.begin());
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    const worker = this.#committed;
    this.#committed = undefined;
    if (worker) void this.#retire(worker);
    for (const candidate of this.#undecided) void candidate.undo();
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }

  async #start(call: Call, ready?: Ready): Promise<Replacement> {
    try {
      const candidate = this.#propose(await this.#launch(call));
      await this.#outlive(candidate, call, ready);
      return candidate;
    } catch (error) {
      if (!isEchoOf(this.#stopped.signal, error)) throw error;
      throw new SupervisorError("STOPPED", "the app is being stopped", { cause: error });
    }
  }

  async #launch(call: Call): Promise<Worker> {
    await this.#options.listeners.open?.(call);
    this.#generation += 1;
    return startWorker(this.#options, this.#generation, call);
  }

  #propose(worker: Worker): Candidate {
    const candidate = new Candidate(worker, this.#options.command[0], {
      commit: () => this.#commit(worker),
      undo: () => this.#retire(worker),
    });
    this.#undecided.add(candidate);
    void candidate.failed.then((failure) => {
      this.#undecided.delete(candidate);
      if (failure) void this.#keep(worker.gone);
    });
    return candidate;
  }

  async #outlive(candidate: Candidate, { signal }: Call, ready?: Ready): Promise<void> {
    const { clock, minimumUptimeMs } = this.#options;
    const enough = new AbortController();
    const either = AbortSignal.any([signal, enough.signal]);
    try {
      const time = clock.sleep(minimumUptimeMs, { signal: either });
      const proof = Promise.all([time, ready?.(candidate, { signal: either })]);
      const outcome = await Promise.race([candidate.failed, proof.then(() => "up" as const)]);
      signal.throwIfAborted();
      if (outcome !== "up") throw outcome ?? overtaken(candidate.generation);
    } catch (error) {
      void candidate.undo();
      throw error;
    } finally {
      enough.abort();
    }
  }

  #commit(worker: Worker): void {
    this.#revival.end();
    for (const candidate of this.#undecided) {
      if (candidate.generation < worker.generation) void candidate.undo();
    }
    const older = this.#committed;
    this.#keepUp(worker);
    const { pid, generation } = worker;
    this.#options.logger.info("Generation in service", { generation, pid });
    if (older) void this.#retire(older);
  }

  #keepUp(worker: Worker): void {
    this.#committed = worker;
    this.#options.onService();
    void worker.exited.then((exit) => this.#mourn(worker, exit));
  }

  /** Lets `worker` drain. */
  async #retire(worker: Worker): Promise<void> {
    const { logger, drainMs } = this.#options;
    const { pid, generation } = worker;
    const ending = await this.#keep(worker.stop());
    if (ending === "drained") return logger.info("Generation drained", { generation, pid });
    const fields = { generation, pid, drainMs };
    if (ending === "cut") return logger.warn("Generation cut off: its drain time was over", fields);
    logger.error("Generation cannot be killed; its processes are left", fields);
  }

  #mourn(worker: Worker, exit: WorkerExit): void {
    if (worker !== this.#committed) return;
    this.#committed = undefined;
    void this.#keep(worker.gone);
    const { pid, generation } = worker;
    const livedMs = worker.livedMs();
    this.#revival.noteDeath(livedMs);
    const how = exitPhrase(exit);
    this.#options.logger.error("The app died", { how, pid, generation, livedMs, ...exit });
    this.#options.onDeath(how);
    void this.#keep(this.#revival.begin());
  }

  async #relaunch(call: Call): Promise<Worker> {
    const worker = await this.#launch(call);
    if (call.signal.aborted) void this.#retire(worker);
    call.signal.throwIfAborted();
    this.#keepUp(worker);
    this.#options.onReturn(worker.pid);
    return worker;
  }

  /**
   * While a replacement is on probation the dead one is not brought back: the command already leads
   * to the new release, and the sockets are served.
   */
  async #decided({ signal }: Call): Promise<void> {
    while (this.#undecided.size > 0) {
      await Promise.race([...this.#undecided].map(({ failed }) => failed));
      signal.throwIfAborted();
    }
  }

  #keep<Result>(work: Promise<Result>): Promise<Result> {
    this.#underWay.add(work);
    const forget = () => {
      this.#underWay.delete(work);
      if (this.isIdle) this.#options.onIdle();
    };
    work.then(forget, forget);
    return work;
  }
}

function overtaken(generation: number): SupervisorError {
  return new SupervisorError(
    "STOPPED",
    `generation ${generation} was stopped, because a newer one was committed`,
  );
}
