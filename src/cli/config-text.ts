import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { BytesError, collect } from "../base/bytes.ts";
import type { Call } from "../base/call.ts";

const maximumFileBytes = 1024 * 1024;

/** The text of a file that a person wrote; it is neither waited for nor endless. */
export async function configTextAt(path: string, { signal }: Call): Promise<string> {
  await refuseFifo(path);
  try {
    return (await collect(createReadStream(path, { signal }), maximumFileBytes)).toString();
  } catch (error) {
    if (!(error instanceof BytesError)) throw error;
    throw new Error("it is no such file", { cause: error });
  }
}

/**
 * Nobody may ever write to it, and an open that waits for that can be ended by no signal. The pipe of
 * `dewy run <(command)` has somebody at its other end, and no path of its own.
 */
async function refuseFifo(path: string): Promise<void> {
  const isNamed = await realpath(path).then(
    () => true,
    () => false,
  );
  if (isNamed && (await stat(path)).isFIFO()) throw new Error("it is a pipe");
}
