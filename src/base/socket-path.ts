import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname } from "node:path";

/** What the smallest of our systems takes (macOS: 104, with the NUL behind it). */
const longestPath = 103;

export interface SocketPath {
  /** Names the socket until `close`. */
  path: string;
  close(): Promise<void>;
}

/**
 * A name for the socket at `path` that the system takes: addresses of sockets end after a hundred
 * bytes, and directories do not. A longer one is named through its directory, held open, on Linux;
 * `undefined` where that cannot be.
 *
 * @throws the system's error, where there is no such directory
 */
export async function openSocketPath(path: string): Promise<SocketPath | undefined> {
  if (Buffer.byteLength(path) <= longestPath) return { path, async close() {} };
  const name = basename(path);
  if (process.platform !== "linux" || Buffer.byteLength(name) > longestPath / 2) return undefined;
  const directory: FileHandle = await open(dirname(path));
  return { path: `/proc/self/fd/${directory.fd}/${name}`, close: () => directory.close() };
}
