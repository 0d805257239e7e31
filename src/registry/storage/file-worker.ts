import { nextTick } from "node:process";
import { setTimeout as elapsed } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { FileJobs, FileSystem } from "./file-jobs.ts";
import type { Job, JobEnd } from "./file-thread.ts";

type Name = keyof FileJobs;
type Given<Which extends Name> = Parameters<FileJobs[Which]>;
type Result<Which extends Name> = Awaited<ReturnType<FileJobs[Which]>>;

interface Asked {
  name: Name;
  given: unknown[];
  resolve(result: never): void;
  reject(error: unknown): void;
}

/** Does the jobs of `fileJobsOn` on threads of its own. */
export interface FileWorker {
  run<Which extends Name>(name: Which, ...given: Given<Which>): Promise<Result<Which>>;
  /** Without telling how it ends; together with what is asked for next, which mostly is soon. */
  runLater<Which extends Name>(name: Which, ...given: Given<Which>): void;
  close(): Promise<void>;
}

const latestMs = 20;
/** A thread that waits for a disk which does not answer cannot be ended. */
const closingMs = 5_000;
const isBuilt = import.meta.url.endsWith(".js");

/**
 * A second thread is for what comes while the first is at work: a directory that is made may wait for
 * the disk, and everybody with it. What is remembered of directories is of one thread, so listings go
 * to the first, and all does where the file system does not see to what leads to a file.
 */
export function openFileWorker(fileSystem: FileSystem): FileWorker {
  if (!isBuilt) return doneAtOnce(fileSystem);
  const threads = Array.from({ length: fileSystem.isKept ? 2 : 1 }, () => openThread(fileSystem));
  const [first] = threads;
  let unsent: Asked[] = [];
  let isSending = false;

  return {
    run(name, ...given) {
      if (!isSending) nextTick(send); // after all that goes on now
      isSending = true;
      return asked(name, given);
    },

    runLater(name, ...given) {
      asked(name, given).catch(() => {});
      if (unsent.length === 1) setTimeout(send, latestMs);
    },

    async close() {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };

  function asked(name: Name, given: unknown[]): Promise<never> {
    return new Promise<never>((resolve, reject) => unsent.push({ name, given, resolve, reject }));
  }

  /** What is asked for at once, in one message. */
  function send(): void {
    isSending = false;
    if (unsent.length === 0) return;
    const isForFirst = unsent.some(({ name }) => name === "names");
    const free = threads.find((thread) => thread.busy() === 0);
    const least = threads.toSorted((one, other) => one.busy() - other.busy())[0];
    ((isForFirst ? first : undefined) ?? free ?? least)?.send(unsent);
    unsent = [];
  }
}

/** The thread starts with the first job, and again with the next one if it should break. */
function openThread(fileSystem: FileSystem) {
  const waiting = new Map<number, Asked>();
  let worker: Worker | undefined;
  let lastId = 0;

  return {
    busy: () => waiting.size,

    send(asked: readonly Asked[]): void {
      const jobs: Job[] = [];
      for (const one of asked) {
        waiting.set(++lastId, one);
        jobs.push({ id: lastId, name: one.name, given: one.given });
      }
      worker ??= start();
      worker.ref();
      worker.postMessage(jobs);
    },

    async close(): Promise<void> {
      await Promise.race([worker?.terminate(), elapsed(closingMs, undefined, { ref: false })]);
    },
  };

  function start(): Worker {
    const started = new Worker(new URL("./file-thread.js", import.meta.url), {
      ...{ workerData: fileSystem, env: {}, execArgv: [] },
      trackUnmanagedFds: false, // it opens files for this thread as well
    });
    started.on("message", (ends: JobEnd[]) => {
      for (const end of ends) {
        const one = waiting.get(end.id);
        waiting.delete(end.id);
        if ("failure" in end) one?.reject(Object.assign(new Error(), end.failure));
        else one?.resolve(end.result as never);
      }
      if (waiting.size === 0) started.unref(); // it keeps no process that has nothing to do
    });
    started.on("error", (error) => broken(started, error));
    started.on("exit", () => broken(started, new Error("the thread for files has ended")));
    return started;
  }

  /** Told twice, the second time perhaps when another one is at work. */
  function broken(ended: Worker, error: unknown): void {
    if (worker !== ended) return;
    worker = undefined;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  }
}

/** Sources that are run unbuilt, as in tests, are none that every Node could load in a thread. */
function doneAtOnce(fileSystem: FileSystem): FileWorker {
  const loaded = import("./file-jobs.ts").then(({ fileJobsOn }) => fileJobsOn(fileSystem));
  const done = async (name: Name, given: unknown[]) => {
    const work = (await loaded)[name] as (...given: unknown[]) => never;
    return await work(...given);
  };
  return {
    run: (name, ...given) => done(name, given),
    runLater(name, ...given) {
      done(name, given).catch(() => {});
    },
    async close() {},
  };
}
