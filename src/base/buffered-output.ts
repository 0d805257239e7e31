import { write } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { settlesWithin, systemClock } from "./clock.ts";
import { systemCodeOf } from "./errors.ts";

const mostWaitingBytes = 1024 * 1024;
const writtenWithinMs = 100;
const closingMs = 2_000;
const attempts = 100;

/** Where many lines go that nobody waits for: those of the last moment end with a crash. */
export interface BufferedOutput {
  write(line: string): void;
  /** Writes what is left, for a moment at the most. */
  close(): Promise<void>;
}

/** Lines that the file behind `fd` does not take are dropped, as are those beyond a limit. */
export function bufferedOutput(fd: number): BufferedOutput {
  let waiting: string[] = [];
  let waitingBytes = 0;
  let writing: Promise<void> | undefined;
  const flush = () => {
    writing ??= writeAll();
  };
  const timer = setInterval(flush, writtenWithinMs).unref();

  return {
    write(line) {
      if (waitingBytes > mostWaitingBytes) return;
      waiting.push(line);
      waitingBytes += line.length;
    },
    async close() {
      clearInterval(timer);
      const last = Promise.resolve(writing).then(writeAll);
      await settlesWithin(last, closingMs, systemClock);
    },
  };

  async function writeAll(): Promise<void> {
    const bytes = Buffer.from(waiting.join(""));
    waiting = [];
    waitingBytes = 0;
    await writeWhole(fd, bytes).catch(() => {});
    writing = undefined;
  }
}

async function writeWhole(fd: number, bytes: Buffer): Promise<void> {
  for (let offset = 0, failures = 0; offset < bytes.length; ) {
    try {
      offset += (await promisify(write)(fd, bytes, offset)).bytesWritten;
    } catch (error) {
      if (systemCodeOf(error) !== "EAGAIN" || ++failures === attempts) throw error;
      await sleep(10);
    }
  }
}
