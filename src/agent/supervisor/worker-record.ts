import { dirname } from "node:path";
import * as v from "valibot";
import { writeFileWhole } from "../../base/atomic-file.ts";
import { readKept } from "../../base/kept-json.ts";
import type { Logger } from "../../base/logger.ts";
import { makeDirectory } from "../../base/make-directory.ts";

const Pid = v.pipe(v.number(), v.safeInteger(), v.minValue(2));

const RecordedWorker = v.strictObject({
  pid: Pid,
  /** By `identityOf`: what tells the process from a later one with the same number. */
  identity: v.pipe(v.string(), v.minLength(1)),
  generation: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  startedAt: v.pipe(v.string(), v.isoTimestamp()),
  /** Whether it was told to end. Once is enough: many programs take a second SIGTERM for "at once". */
  ending: v.optional(v.literal(true)),
});
export type RecordedWorker = v.InferOutput<typeof RecordedWorker>;

const RecordFile = v.strictObject({
  version: v.literal(1),
  workers: v.array(RecordedWorker),
});

/**
 * Names every generation that may be alive, so that the next agent finds those that this one could
 * not end. On disk before the worker runs its command, and until nothing of it is left.
 */
export interface WorkerRecord {
  readonly workers: readonly RecordedWorker[];
  add(worker: RecordedWorker): Promise<void>;
  /** Notes that it was told to end. What is not there is not an error. */
  markEnding(worker: Pick<RecordedWorker, "pid" | "identity">): Promise<void>;
  /** Removing what is not there is not an error. */
  remove(worker: Pick<RecordedWorker, "pid" | "identity">): Promise<void>;
}

/** Opens the record at `path`. One that cannot be read is warned about, and begun anew. */
export async function openWorkerRecord(path: string, logger: Logger): Promise<WorkerRecord> {
  const trouble = "The record of workers cannot be read; those of an earlier run are not ended";
  const before = await readKept(RecordFile, path, { trouble, logger });
  let workers: readonly RecordedWorker[] = before?.workers ?? [];
  let writing = Promise.resolve();

  const save = () => {
    writing = writing.catch(() => {}).then(write);
    return writing;
  };
  const write = async () => {
    await makeDirectory(dirname(path), 0o700);
    await writeFileWhole(path, `${JSON.stringify({ version: 1, workers })}\n`, { mode: 0o600 });
  };

  return {
    get workers() {
      return workers;
    },
    async add(worker) {
      workers = [...workers, worker];
      await save();
    },
    async markEnding({ pid, identity }) {
      workers = workers.map((worker) =>
        worker.pid === pid && worker.identity === identity ? { ...worker, ending: true } : worker,
      );
      await save();
    },
    async remove({ pid, identity }) {
      const left = workers.filter((worker) => worker.pid !== pid || worker.identity !== identity);
      if (left.length === workers.length) return;
      workers = left;
      await save();
    },
  };
}
