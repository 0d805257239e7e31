import { parentPort, workerData } from "node:worker_threads";
import { type FileJobs, fileJobsOn } from "./file-jobs.ts";
import type { FailureOfOne } from "./file-steps.ts";

export interface Job {
  id: number;
  name: keyof FileJobs;
  given: unknown[];
}

export type JobEnd = { id: number } & ({ result: unknown } | { failure: object });

const fileJobs = fileJobsOn(workerData);

/** The program of the thread: one job after the other; those that wait for the medium, side by side. */
parentPort?.on("message", (jobs: Job[]) => {
  const ends: JobEnd[] = [];
  for (const { id, name, given } of jobs) {
    try {
      const result = (fileJobs[name] as (...given: unknown[]) => unknown)(...given);
      if (result instanceof Promise) result.then(...tellOf(id));
      else ends.push({ id, result });
    } catch (error) {
      ends.push({ id, failure: described(error) });
    }
  }
  if (ends.length > 0) tell(ends);
});

function tellOf(id: number): [(result: unknown) => void, (error: unknown) => void] {
  return [(result) => tell([{ id, result }]), (error) => tell([{ id, failure: described(error) }])];
}

function tell(ends: JobEnd[]): void {
  parentPort?.postMessage(ends);
}

/** A clone of an error would lose its code. */
function described(error: unknown): object {
  const { message, code, errno, syscall, path, place } = error as NodeJS.ErrnoException &
    FailureOfOne;
  return { message, code, errno, syscall, path, place };
}
