import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, constants, open } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { removeOld } from "../../base/atomic-file.ts";
import type { Call } from "../../base/call.ts";

/** The descriptors of a pipe that is nobody's child: each end can be given to any process. */
export interface Pipe {
  /** For this process: it does not wait. */
  readonly read: number;
  /** For whoever reads when this process is gone. */
  readonly spare: number;
  readonly write: number;
}

const draft = /^(stdout|stderr)\.[0-9a-f-]{36}\.tmp$/;
const ends = ["read", "write", "spare"] as const;
/** In this order none has to wait for the other end. */
const flags = {
  read: constants.O_RDONLY | constants.O_NONBLOCK,
  write: constants.O_WRONLY,
  spare: constants.O_RDONLY,
};

/**
 * Two pipes, which have names in `directory` only while they are opened. Node makes sockets where it
 * is asked for pipes, and those cannot be opened as /dev/stdout.
 */
export async function openPipes(
  directory: string,
  { signal }: Call,
): Promise<{ stdout: Pipe; stderr: Pipe }> {
  const [out, err] = ["stdout", "stderr"].map((name) =>
    join(directory, `${name}.${randomUUID()}.tmp`),
  ) as [string, string];
  const opened: number[] = [];
  try {
    await promisify(execFile)("mkfifo", ["-m", "600", out, err], { signal });
    return { stdout: await openPipe(out, opened), stderr: await openPipe(err, opened) };
  } catch (error) {
    for (const fd of opened) closeSync(fd);
    throw error;
  } finally {
    await Promise.all([out, err].map((path) => rm(path, { force: true })));
  }
}

/** The names that a killed agent has left. */
export function removePipeNames(directory: string): Promise<void> {
  return removeOld(directory, (name) => draft.test(name));
}

async function openPipe(path: string, opened: number[]): Promise<Pipe> {
  const pipe = { read: -1, write: -1, spare: -1 };
  for (const end of ends) {
    pipe[end] = await promisify(open)(path, flags[end]);
    opened.push(pipe[end]);
  }
  return pipe;
}
