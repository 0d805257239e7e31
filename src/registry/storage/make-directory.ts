import { mkdir } from "node:fs/promises";
import { systemCodeOf } from "../../base/errors.ts";
import { makeDirectory as makeStepByStep } from "../../base/make-directory.ts";

/**
 * At once where that can be, and otherwise in a way that tells what is wrong. Resolves to the first
 * directory that had to be made.
 */
export async function makeDirectory(directory: string): Promise<string | undefined> {
  try {
    return await mkdir(directory, { recursive: true });
  } catch (error) {
    if (systemCodeOf(error) !== "ENOENT") throw error;
    return await makeStepByStep(directory); // read-only media are said to have no such directory
  }
}
