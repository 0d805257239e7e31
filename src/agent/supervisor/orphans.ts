import type { Call } from "../../base/call.ts";
import { type Clock, systemClock } from "../../base/clock.ts";
import { messageOf, systemCodeOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { identityOf } from "../../base/process-identity.ts";
import { endGroup, type GroupEnding, signalGroup } from "./process-group.ts";
import { hasLeft } from "./worker-mark.ts";
import type { RecordedWorker, WorkerRecord } from "./worker-record.ts";

export interface OrphansOptions {
  record: WorkerRecord;
  /** How long they may finish what they have begun, before their groups are killed. */
  drainMs: number;
  logger: Logger;
  clock?: Clock;
}

/** The workers of an agent that was killed, on their way out. */
export interface Orphans {
  /** The process ids of those that have not ended yet. */
  readonly alive: readonly number[];
  /** Settles when none is left, or when the call ends; never rejects. */
  readonly drained: Promise<void>;
}

const pollMs = 100;

/**
 * Tells the workers that an earlier agent left behind to end, and returns without waiting for it:
 * they let go of their ports as soon as they stop listening. What a worker that has ended left in its
 * group is ended as well. A process is signalled only when it is provably the one that was recorded or
 * of its group, and not a later one with its number.
 *
 * When `call` ends first, those still alive stay in the record for the next agent.
 */
export async function endOrphans(
  options: OrphansOptions,
  call: Call,
  workers: readonly RecordedWorker[] = options.record.workers,
): Promise<Orphans> {
  const alive = new Set<number>();
  const watches: Promise<void>[] = [];
  for (const worker of workers) {
    if (await isAlive(worker)) {
      alive.add(worker.pid);
      watches.push(end(worker, options, call).finally(() => alive.delete(worker.pid)));
    } else {
      await note(worker, "remove", options);
    }
  }
  return {
    get alive() {
      return [...alive];
    },
    drained: Promise.all(watches).then(() => {}),
  };
}

/** Whether anything of `workers` still runs. */
export async function someAlive(workers: readonly RecordedWorker[]): Promise<boolean> {
  for (const worker of workers) if (await isAlive(worker)) return true;
  return false;
}

async function isAlive(worker: RecordedWorker): Promise<boolean> {
  return (await isStill(worker)) || (await hasLeft(worker));
}

async function end(worker: RecordedWorker, options: OrphansOptions, call: Call): Promise<void> {
  const { logger, drainMs } = options;
  const { pid, generation } = worker;
  logger.warn("Ending a worker that an earlier run left behind", { pid, generation });
  try {
    const ending = await endingOf(worker, options, call);
    await note(worker, "remove", options);
    const fields = { pid, generation, ending, drainMs };
    if (ending === "drained") logger.info("Worker of an earlier run ended", fields);
    else logger.warn("Worker of an earlier run did not end by itself", fields);
  } catch (error) {
    if (call.signal.aborted) return;
    logger.error("Worker of an earlier run cannot be ended", { pid, generation, error });
  }
}

async function endingOf(
  worker: RecordedWorker,
  options: OrphansOptions,
  call: Call,
): Promise<GroupEnding> {
  const { drainMs, clock = systemClock } = options;
  if (!worker.ending && (await isStill(worker))) {
    tell(worker.pid);
    await note(worker, "markEnding", options);
  }
  let leftMs = drainMs;
  while (leftMs > 0 && (await isStill(worker))) {
    await clock.sleep(Math.min(pollMs, leftMs), call);
    leftMs -= pollMs;
  }
  const cut = (await isStill(worker)) && signalGroup(worker.pid, "SIGKILL");
  const ending = await endGroup(worker.pid, { graceMs: Math.max(0, leftMs), clock });
  return cut && ending === "drained" ? "cut" : ending;
}

function tell(pid: number): void {
  try {
    process.kill(pid, "SIGTERM");
  } catch (error) {
    if (systemCodeOf(error) !== "ESRCH") throw error;
  }
}

async function isStill({ pid, identity }: RecordedWorker): Promise<boolean> {
  return (await identityOf(pid)) === identity;
}

/** A line too many is harmless: the identity tells that the process is another. */
async function note(
  worker: RecordedWorker,
  what: "remove" | "markEnding",
  { record, logger }: OrphansOptions,
): Promise<void> {
  try {
    await record[what](worker);
  } catch (error) {
    logger.warn("The record of workers cannot be written", { error: messageOf(error) });
  }
}
