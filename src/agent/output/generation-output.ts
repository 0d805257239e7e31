import { closeSync, constants, fstat, open, write } from "node:fs";
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Call } from "../../base/call.ts";
import { systemCodeOf } from "../../base/errors.ts";
import { splitLines } from "../../base/lines.ts";
import { longestText, type OutputStream } from "./output-entry.ts";
import { openPipes, type Pipe } from "./pipes.ts";
import { openStandIn } from "./stand-in.ts";

/** Descriptors that all is passed on to: what this process writes to, by default. */
export type PassTo = Record<OutputStream, number>;

const here: PassTo = { stdout: 1, stderr: 2 };
/** Takes the lines that have come together. */
export type Keep = (stream: OutputStream, lines: readonly string[]) => void;

const betweenTriesMs = 10;

/** What one generation writes, on its way through this process. */
export interface GenerationOutput {
  /** The descriptors to give to it. */
  readonly stdout: number;
  readonly stderr: number;
  /** It has them, or will never: this process keeps none. */
  given(): void;
  /** Settles when all that it and its children have written was read. */
  readonly ended: Promise<unknown>;
}

/**
 * Makes pipes for a generation and reads them: each byte is passed on to where this process writes,
 * and each line is `kept`. Nothing of it keeps this process from ending.
 *
 * @throws where there can be no pipes
 */
export async function openGenerationOutput(
  { directory, to = here }: { directory: string; to?: PassTo | undefined },
  kept: Keep,
  call: Call,
): Promise<GenerationOutput> {
  const { stdout, stderr } = await openPipes(directory, call);
  const pipes = { stdout, stderr };
  const standIn = await openStandIn([to.stdout, to.stderr, stdout.spare, stderr.spare]).catch(
    (error) => {
      for (const pipe of [stdout, stderr]) [pipe.read, pipe.write, pipe.spare].map(closeSync);
      throw error;
    },
  );
  for (const { spare } of [stdout, stderr]) closeSync(spare);
  const reading = (["stdout", "stderr"] as const).map((stream) =>
    read(pipes[stream], to[stream], stream, kept),
  );
  // What cannot be read any more is read by who stands in.
  const ended = Promise.allSettled(reading).then(() => standIn.begin());
  return {
    stdout: stdout.write,
    stderr: stderr.write,
    given: () => [stdout.write, stderr.write].forEach(closeSync),
    ended,
  };
}

async function read(
  { read: fd }: Pipe,
  to: number,
  stream: OutputStream,
  kept: Keep,
): Promise<void> {
  const socket = new Socket({ fd, readable: true, writable: false });
  socket.unref();
  const splitter = splitLines(longestText);
  const target = await withoutWaiting(to);
  try {
    for await (const chunk of socket) {
      kept(stream, splitter.take(chunk)); // first: nobody may read what this process writes
      await passOn(target, chunk);
    }
    kept(stream, splitter.end());
  } finally {
    if (target !== to) closeSync(target);
  }
}

/**
 * A pipe is opened once more: whoever stops reading it must not hold the threads that all work with
 * files is done on. Of a file there is one place to write at, which all who write there share.
 */
async function withoutWaiting(fd: number): Promise<number> {
  try {
    if (!(await promisify(fstat)(fd)).isFIFO()) return fd;
    return await promisify(open)(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return fd; // there is no /proc, or nobody reads it any more
  }
}

/** What the file does not take is lost, as on a full disk; who is slow is waited for. */
async function passOn(to: number, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += (await promisify(write)(to, bytes, offset)).bytesWritten;
    } catch (error) {
      if (systemCodeOf(error) !== "EAGAIN") return;
      await sleep(betweenTriesMs);
    }
  }
}
