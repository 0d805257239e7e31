import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCodeOf } from "./errors.ts";

/**
 * Makes a directory and those above it. Node's own `recursive` never comes back where the system says
 * `ENOENT` for whatever is made, as in `/proc`.
 */
export async function makeDirectory(path: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === "EEXIST" && (await stat(path)).isDirectory()) return;
    if (code !== "ENOENT" || dirname(path) === path) throw error;
    await makeDirectory(dirname(path));
    await makeOne(path, mode);
  }
}

/** Somebody else may have made it meanwhile. */
async function makeOne(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (systemCodeOf(error) !== "EEXIST") throw error;
  }
}
