import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { systemCodeOf } from "./errors.ts";

const maximumBytes = 64 * 1024 ** 2;

/**
 * A file that somebody has written for us, whole. Where a pipe is in its place, nobody waits for who
 * never writes to it; a few of these would keep all of Node's threads.
 *
 * @throws what does not name the file: who calls does
 */
export async function readSettingsFile(path: string): Promise<Buffer> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await file.stat();
    if (stats.isDirectory()) throw new Error("it is a directory");
    if (stats.isFIFO()) throw new Error("it is a pipe");
    if (!stats.isFile()) throw new Error("it is no file");
    if (stats.size > maximumBytes) throw new Error(`it has ${stats.size} bytes`);
    return await file.readFile();
  } catch (error) {
    throw withoutPath(error);
  } finally {
    await file?.close();
  }
}

/** Node ends its message with the call and the path: `ENOENT: no such file or directory, open '/a'`. */
function withoutPath(error: unknown): unknown {
  const code = systemCodeOf(error);
  if (code === undefined || !(error instanceof Error)) return error;
  const [message = error.message] = error.message.split(/, \w+ '/);
  return Object.assign(new Error(message, { cause: error }), { code });
}
