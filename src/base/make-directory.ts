import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCodeOf } from "./errors.ts";

/**
 * Makes a directory and those above it. Node's own `recursive` never comes back where the system says
 * `ENOENT` for whatever is made, as in `/proc`. Resolves to the first one that was missing.
 */
export async function makeDirectory(path: string, mode = 0o777): Promise<string | undefined> {
  try {
    await mkdir(path, { mode });
    return path;
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === "EEXIST" && (await stat(path)).isDirectory()) return undefined;
    if (code !== "ENOENT" || dirname(path) === path) throw error;
    const first = await makeDirectory(dirname(path));
    await makeOne(path, mode);
    return first ?? path;
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
