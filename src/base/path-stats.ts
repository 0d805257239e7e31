import type { Stats } from "node:fs";
import { lstat } from "node:fs/promises";
import { systemCodeOf } from "./errors.ts";

/** What is at `path`, a link itself and not what it leads to; `undefined` where there is nothing. */
export async function statsOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
