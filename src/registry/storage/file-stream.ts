import { write, writev } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { promisify } from "node:util";
import type { Bytes } from "../../base/bytes.ts";
import { StorageError, type StoragePath } from "../storage-driver.ts";
import { EarlySync } from "./early-sync.ts";
import { failureAt, isAbsence } from "./file-failure.ts";
import { toRead } from "./file-steps.ts";
import { letGoAfter } from "./let-go.ts";

const readBytes = 512 * 1024;
/** What the processor that received it still has in its cache when the other one writes it. */
const gatherBytes = 256 * 1024;
const keptBuffers = 32;
const mostLargeBuffers = 96;
const smallBytes = 32 * 1024;

const writtenTogether = promisify(writev);
const writtenAlone = promisify(write);

/**
 * Reads a file from `from` up to `to` and closes it. Two buffers take turns, so that one is filled
 * while the other is sent, and none is allocated per chunk.
 */
export async function* chunksOf(
  handle: FileHandle,
  path: StoragePath,
  { from, to, buffers }: { from: number; to: number; buffers: ReadBuffers },
): AsyncGenerator<Uint8Array> {
  const taken = [buffers.take(to - from)];
  let next = fill(handle, path, taken[0], from, to);
  let isRead = false;
  try {
    for (let position = from, turn = 1; position < to; turn++) {
      const chunk = await next;
      position += chunk.length;
      if (position < to) {
        taken[turn % 2] ??= buffers.take(to - from);
        next = fill(handle, path, taken[turn % 2], position, to);
      }
      yield chunk;
    }
    isRead = true;
  } finally {
    await next.catch(() => {});
    await handle.close();
    // A reader who gave up may have passed the last chunk on to a socket that still writes it.
    for (const buffer of taken) buffers.giveBack(buffer, { reuse: isRead });
  }
}

/**
 * Buffers that are used again for the next file: a fresh one costs the kernel a page at a time, and
 * the collector a run for every few. Readers beyond the first dozens get small ones: thousands that
 * do not take what they asked for would hold as many large ones for minutes.
 */
export class ReadBuffers {
  readonly #free: Buffer[] = [];
  #large = 0;

  /** For a shorter file, no more than its length. */
  take(length: number): Buffer {
    if (length <= readBytes / 8) return Buffer.allocUnsafe(length);
    if (this.#large >= mostLargeBuffers) return Buffer.allocUnsafeSlow(smallBytes);
    this.#large++;
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(readBytes);
  }

  /** `reuse` only when nobody reads it any more. */
  giveBack(buffer: Buffer, { reuse }: { reuse: boolean }): void {
    if (buffer.length !== readBytes) return;
    this.#large--;
    if (reuse && this.#free.length < keptBuffers) this.#free.push(buffer);
  }
}

function fill(
  handle: FileHandle,
  path: StoragePath,
  buffer: Buffer = Buffer.alloc(0),
  position: number,
  to: number,
): Promise<Uint8Array> {
  const filled = filledFrom(handle, path, buffer, position, to);
  filled.catch(() => {}); // reported when it is awaited, which may be after the failure
  return filled;
}

async function filledFrom(
  handle: FileHandle,
  path: StoragePath,
  buffer: Buffer,
  position: number,
  to: number,
): Promise<Uint8Array> {
  const wanted = Math.min(buffer.length, to - position);
  if (wanted === 0) return buffer.subarray(0, 0);
  try {
    const { bytesRead } = await handle.read(buffer, 0, wanted, position);
    if (bytesRead > 0) return buffer.subarray(0, bytesRead);
  } catch (error) {
    throw failureAt(path, error);
  }
  throw new StorageError("UNAVAILABLE", `${path} ends at ${position}, before ${to}`);
}

/** Reads a small file in one go; `undefined` when there is none. */
export async function readUpTo(
  place: string,
  path: StoragePath,
  maximumBytes: number,
): Promise<Uint8Array | undefined> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(place, toRead);
    const size = maximumBytes <= 4096 ? maximumBytes : (await handle.stat()).size;
    const buffer = Buffer.allocUnsafe(Math.min(size, maximumBytes) + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
      length += bytesRead;
      if (length > maximumBytes) {
        throw new StorageError("TOO_LARGE", `${path} is longer than ${maximumBytes} bytes`);
      }
      if (bytesRead === 0 || length < buffer.length) return buffer.subarray(0, length);
    }
  } catch (error) {
    const failure = failureAt(path, error);
    if (isAbsence(failure)) return undefined;
    throw failure;
  } finally {
    await handle?.close();
  }
}

/**
 * Writes `source` from `at` on and resolves to where it ended. One batch is written while the next
 * is received, and what has been written is on its way to the medium then; what was received before
 * `source` failed is written too.
 */
export async function writeGathered(
  { fd, path, at }: { fd: number; path: StoragePath; at: number },
  source: Bytes,
  { areOurs }: { areOurs: boolean },
): Promise<number> {
  let position = at;
  let batch: Uint8Array[] = [];
  let batchBytes = 0;
  let writing: Promise<void> = Promise.resolve();
  const early = new EarlySync(fd, path, at);

  const flush = async () => {
    await writing;
    early.upTo(position);
    if (batchBytes === 0) return;
    writing = writeBatch({ fd, path, position }, batch, batchBytes);
    if (areOurs) writing = letGoAfter(writing, batch);
    writing.catch(() => {}); // reported by the next flush
    position += batchBytes;
    batch = [];
    batchBytes = 0;
  };

  try {
    for await (const chunk of source) {
      batch.push(chunk);
      batchBytes += chunk.length;
      if (batchBytes >= gatherBytes) await flush();
    }
  } finally {
    await flush();
    await writing;
    await early.end();
  }
  return position;
}

async function writeBatch(
  { fd, path, position }: { fd: number; path: StoragePath; position: number },
  batch: Uint8Array[],
  size: number,
): Promise<void> {
  try {
    let written = (await writtenTogether(fd, batch, position)).bytesWritten;
    if (written === size) return;
    const whole = Buffer.concat(batch);
    while (written < size) {
      const rest = await writtenAlone(fd, whole, written, size - written, position + written);
      written += rest.bytesWritten;
    }
  } catch (error) {
    throw failureAt(path, error);
  }
}
