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

const draft = /^(stdout|stderr|ready)\.[0-9a-f-]{36}\.tmp$/;
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
  call: Call,
): Promise<{ stdout: Pipe; stderr: Pipe }> {
  return withNames(directory, ["stdout", "stderr"], call, async ([out = "", err = ""], opened) => ({
    stdout: await openPipe(out, opened),
    stderr: await openPipe(err, opened),
  }));
}

/** One whose other end is open both ways: whoever has it needs no reader, and is never ended by a write. */
export async function openOwnPipe(
  directory: string,
  name: "ready",
  call: Call,
): Promise<{ read: number; both: number }> {
  return withNames(directory, [name], call, async ([path = ""], opened) => {
    const read = await openEnd(path, flags.read, opened);
    return { read, both: await openEnd(path, constants.O_RDWR, opened) };
  });
}

/** `open` gets the paths, and notes what it has opened: when it fails, that is closed. */
async function withNames<Result>(
  directory: string,
  names: readonly string[],
  { signal }: Call,
  open: (paths: readonly string[], opened: number[]) => Promise<Result>,
): Promise<Result> {
  const paths = names.map((name) => join(directory, `${name}.${randomUUID()}.tmp`));
  const opened: number[] = [];
  try {
    await promisify(execFile)("mkfifo", ["-m", "600", ...paths], { signal });
    return await open(paths, opened);
  } catch (error) {
    for (const fd of opened) closeSync(fd);
    throw error;
  } finally {
    await Promise.all(paths.map((path) => rm(path, { force: true })));
  }
}

/** The names that a killed agent has left. */
export function removePipeNames(directory: string): Promise<void> {
  return removeOld(directory, (name) => draft.test(name));
}

async function openPipe(path: string, opened: number[]): Promise<Pipe> {
  const pipe = { read: -1, write: -1, spare: -1 };
  for (const end of ends) pipe[end] = await openEnd(path, flags[end], opened);
  return pipe;
}

async function openEnd(path: string, flag: number, opened: number[]): Promise<number> {
  const fd = await promisify(open)(path, flag);
  opened.push(fd);
  return fd;
}
