import { type FileHandle, open } from "node:fs/promises";
import { syncDirectory } from "../../base/atomic-file.ts";
import type { Call } from "../../base/call.ts";
import { orAborted } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { type Backoff, backoffMs } from "../../base/retry.ts";
import { fullSegmentBytes, type Segment, segmentPath } from "./segments.ts";

export interface LineWriterParts {
  directory: string;
  clock: Clock;
  logger: Logger;
  /** The number of the first segment; its file is made with the first line. */
  firstNumber: number;
  /** A segment begins. It grows from now on. */
  begun(segment: Segment): void;
  /** Lines can be read that could not before. */
  written(): void;
  /** So many lines were given up. */
  dropped(lines: number, reason: DropReason): void;
}

export type DropReason = "too many wait" | "they could not be written down";

/** What became of a line: it outlives this process, waits in memory for the disk, or is lost. */
export type Added = "written" | "in memory" | "dropped";

interface Waiting {
  bytes: Buffer;
  settle(added: Added): void;
}

const mostUnwrittenBytes = 8 * 1024 * 1024;
const mostAtOnce = 256;
const syncedWithinMs = 1_000;
const betweenFailures: Backoff = { firstMs: 500, maximumMs: 30_000 };

/**
 * Adds lines to the newest segment; those that come while a write is under way share the next one.
 *
 * What is written outlives the process; within a second it is synced, and outlives the machine. A
 * disk that takes nothing keeps lines in memory, up to a limit, and that is logged.
 */
export class LineWriter {
  readonly #parts: LineWriterParts;
  readonly #closing = new AbortController();
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** How many of those that wait, the oldest, were said to be in memory. */
  #inMemory = 0;
  #segment: Segment | undefined;
  #handle: FileHandle | undefined;
  #working: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  #failures = 0;

  constructor(parts: LineWriterParts) {
    this.#parts = parts;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Until the disk has all lines that were said to be in memory. */
  get isStuck(): boolean {
    return this.#inMemory > 0;
  }

  /** Resolves when the line is written, or when it is clear that it cannot be now. */
  add(line: string): Promise<Added> {
    const bytes = Buffer.from(`${line}\n`);
    if (this.#waitingBytes + bytes.length > mostUnwrittenBytes) {
      this.#parts.dropped(1, "they could not be written down");
      return Promise.resolve("dropped");
    }
    const settled = new Promise<Added>((settle) => this.#waiting.push({ bytes, settle }));
    this.#waitingBytes += bytes.length;
    this.#working ??= this.#work();
    if (this.#failures === 0) return settled;
    this.#inMemory = this.#waiting.length;
    return Promise.resolve("in memory");
  }

  /** Tries what is left once more. */
  async close({ signal }: Call): Promise<void> {
    this.#closing.abort();
    await orAborted(Promise.all([this.#working, this.#syncing]), signal).catch(() => {});
    const left = this.#waiting.length;
    if (left > 0) this.#parts.dropped(left, "they could not be written down");
    await this.#handle?.datasync().catch(() => {});
    await this.#handle?.close();
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const isLast = this.#closing.signal.aborted;
      const batch = this.#waiting.slice(0, mostAtOnce);
      const failure = await this.#write(batch);
      if (failure === undefined) {
        for (const { settle } of batch) settle("written");
        continue;
      }
      for (const { settle } of this.#waiting) settle("in memory");
      this.#inMemory = this.#waiting.length;
      if (isLast) break;
      const waitMs = backoffMs(betweenFailures, this.#failures);
      await this.#parts.clock.sleep(waitMs, this.#closing).catch(() => {});
    }
    this.#working = undefined;
  }

  async #write(batch: readonly Waiting[]): Promise<{ error: unknown } | undefined> {
    const { logger } = this.#parts;
    try {
      await this.#writeWhole(Buffer.concat(batch.map(({ bytes }) => bytes)), batch.length);
    } catch (error) {
      if (this.#failures++ === 0) logger.error("notifications cannot be written down", { error });
      return { error };
    }
    if (this.#failures > 0) logger.info("notifications are written down again");
    this.#failures = 0;
    this.#waiting.splice(0, batch.length);
    this.#inMemory = Math.max(0, this.#inMemory - batch.length);
    this.#waitingBytes -= batch.reduce((sum, { bytes }) => sum + bytes.length, 0);
    this.#parts.written();
    return undefined;
  }

  async #writeWhole(bytes: Buffer, lines: number): Promise<void> {
    const { handle, segment } = await this.#current();
    try {
      const { bytesWritten } = await handle.write(bytes, 0, bytes.length, segment.bytes);
      if (bytesWritten < bytes.length) throw new Error("there was room for a part of it only");
    } catch (error) {
      await handle.truncate(segment.bytes).catch(() => {});
      throw error;
    }
    segment.bytes += bytes.length;
    segment.lines += lines;
    this.#syncing ??= this.#sync();
  }

  async #current(): Promise<{ handle: FileHandle; segment: Segment }> {
    const { directory, firstNumber, begun } = this.#parts;
    if (this.#handle && this.#segment && this.#segment.bytes < fullSegmentBytes) {
      return { handle: this.#handle, segment: this.#segment };
    }
    const number = this.#segment === undefined ? firstNumber : this.#segment.number + 1;
    const segment = { number, bytes: 0, lines: 0 };
    const handle = await open(segmentPath(directory, number), "w", 0o600);
    await this.#handle?.datasync().catch(() => {});
    await this.#handle?.close();
    this.#handle = handle;
    this.#segment = segment;
    begun(segment);
    return { handle, segment };
  }

  async #sync(): Promise<void> {
    await this.#parts.clock.sleep(syncedWithinMs, this.#closing).catch(() => {});
    this.#syncing = undefined;
    // A segment that was full meanwhile is synced already, and its handle closed.
    await this.#handle?.datasync().catch(() => {});
    await syncDirectory(this.#parts.directory).catch(() => {});
  }
}
