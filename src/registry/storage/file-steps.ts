import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { systemCodeOf } from "../../base/errors.ts";

/** Which of several paths an error is about. */
export type FailureOfOne = Error & { at?: number };

const mostTries = 5;

/** Makes the directory of `path` where it is missing; another process may remove one that is empty. */
export function inDirectory<Result>(path: string, work: () => Result): Result {
  for (let tries = 1; ; tries++) {
    try {
      return work();
    } catch (error) {
      if (systemCodeOf(error) !== "ENOENT" || tries === mostTries) throw error;
      makeDirectory(dirname(path));
    }
  }
}

/** As `base/make-directory.ts` does. */
export function makeDirectory(path: string): void {
  if (isMade(path)) return;
  makeDirectory(dirname(path));
  isMade(path); // or it was taken away again, which whoever needs it will see
}

/** `false` when it cannot be as long as the one above it is missing. */
function isMade(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === "EEXIST" && statSync(path).isDirectory()) return true;
    if (code === "ENOENT" && dirname(path) !== path) return false;
    throw error;
  }
}

export function ifThere<Result>(look: () => Result): Result | undefined {
  try {
    return look();
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCodeOf(error) ?? "")) return undefined;
    throw error;
  }
}

export function failedAt<Result>(at: number, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw Object.assign(error as FailureOfOne, { at });
  }
}
