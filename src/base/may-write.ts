import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { systemCodeOf } from "./errors.ts";

/**
 * Whether `directory` can be written to, or made where it is not there yet: nothing is changed.
 *
 * @throws the system's error when it cannot
 */
export async function checkMayWrite(directory: string): Promise<void> {
  const path = resolve(directory);
  try {
    // With the dot, a file is refused, also one that may be executed.
    await access(`${path}/.`, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    if (systemCodeOf(error) !== "ENOENT" || dirname(path) === path) throw error;
    await checkMayWrite(dirname(path));
  }
}
