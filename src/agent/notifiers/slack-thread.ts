import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

const fileName = ".slack-thread-ts";
const mostBytes = 64;

/**
 * The thread that the release in `current` says it belongs to: whoever built it has put the time stamp
 * of a message into it. `undefined` where there is none.
 */
export async function readThread(directory: string): Promise<string | undefined> {
  // A release is not ours: the file may be a pipe that nobody writes to, or lead anywhere.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const file = await open(join(directory, "current", fileName), flags).catch(() => undefined);
  try {
    const { buffer, bytesRead = 0 } =
      (await file?.read(Buffer.alloc(mostBytes), 0, mostBytes)) ?? {};
    const text = buffer?.toString("utf8", 0, bytesRead).trim() ?? "";
    return /^\d{1,20}\.\d{1,10}$/.test(text) ? text : undefined;
  } catch {
    return undefined; // a directory, for one
  } finally {
    await file?.close();
  }
}
