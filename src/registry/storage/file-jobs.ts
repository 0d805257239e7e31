import { closeSync, constants, fstatSync, openSync, rmSync, statSync, utimesSync } from "node:fs";
import { dirname } from "node:path";
import { failedAt, ifThere, inDirectory } from "./file-steps.ts";
import { type Draft, putInPlace, syncIfThere } from "./placement.ts";

/**
 * What takes many system calls, each in one go: passing every call to the pool of threads and back
 * takes far longer than the calls. Only what waits for the medium goes there, so that others go on.
 */
export const fileJobs = {
  /** Puts files in their places, for good. An error says by `at` which of them it is about. */
  place: (drafts: readonly Draft[]): Promise<void> => putInPlace(drafts),

  /** Opens a file to write to it, and makes it where that is wanted. */
  openToWrite(path: string, { create }: { create: boolean }): { fd: number; size: number } {
    const flags = constants.O_WRONLY | (create ? constants.O_CREAT : 0);
    const fd = create
      ? inDirectory(path, () => openSync(path, flags, 0o666))
      : openSync(path, flags);
    return { fd, size: fstatSync(fd).size };
  },

  close(fd: number): void {
    closeSync(fd);
  },

  /** Makes the present the time of last change of each, and tells their sizes. */
  touch(paths: readonly string[]): (number | undefined)[] {
    const now = new Date();
    return paths.map((path, at) => failedAt(at, () => touched(path, now)));
  },

  async remove(path: string, { forGood }: { forGood: boolean }): Promise<void> {
    rmSync(path, { recursive: true, force: true });
    if (forGood) await syncIfThere([dirname(path)]);
  },
};

export type FileJobs = typeof fileJobs;

function touched(path: string, now: Date): number | undefined {
  return ifThere(() => {
    utimesSync(path, now, now);
    return statSync(path).size;
  });
}
