import { join } from "node:path";
import { type Call, orAborted } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { makeDirectory } from "../../base/make-directory.ts";
import { type Added, type DropReason, LineWriter } from "./line-writer.ts";
import { openPositionFile, type Position, type PositionFile } from "./position-file.ts";
import {
  countLines,
  readLineAt,
  readSegments,
  removeSegment,
  type Segment,
  segmentPath,
} from "./segments.ts";

export interface EventQueueParts {
  directory: string;
  /** Beyond this the oldest lines go. */
  maximumBytes: number;
  clock: Clock;
  logger: Logger;
  dropped(lines: number, reason: DropReason): void;
}

/** What an earlier process left. */
interface Found {
  segments: Segment[];
  file: PositionFile;
  position: Position;
  /** How many lines of the oldest segment come before the position. */
  read: number;
}

/**
 * Lines on disk, first in, first out, for one reader. A killed process loses none that `add` has
 * resolved for, and may read the one again that it was at.
 */
export class EventQueue {
  readonly #parts: EventQueueParts;
  readonly #segments: Segment[];
  readonly #file: PositionFile;
  readonly #writer: LineWriter;
  #position: Position;
  /** How many lines of the oldest segment have been dealt with. */
  #read = 0;
  #taken: { segment: number; bytes: number } | undefined;
  #wake = () => {};

  constructor(parts: EventQueueParts, found: Found) {
    this.#parts = parts;
    this.#read = found.read;
    this.#segments = found.segments;
    this.#file = found.file;
    this.#position = found.position;
    this.#writer = new LineWriter({
      ...parts,
      firstNumber: Math.max(found.position.segment, found.segments.at(-1)?.number ?? 0) + 1,
      begun: (segment) => this.#segments.push(segment),
      written: () => {
        this.#wake();
        this.#bound();
      },
    });
  }

  /** How many lines nobody has dealt with. */
  get pending(): number {
    const written = this.#segments.reduce((sum, { lines }) => sum + lines, 0);
    return written - this.#read + this.#writer.waiting;
  }

  /** As `LineWriter.isStuck`. */
  get isStuck(): boolean {
    return this.#writer.isStuck;
  }

  /** As `LineWriter.add`. */
  add(line: string): Promise<Added> {
    return this.#writer.add(line);
  }

  /** The oldest line; waits for one. It is given again until `done`. */
  async next({ signal }: Call): Promise<string> {
    for (;;) {
      signal.throwIfAborted();
      const awoken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      const line = await this.#oldest();
      if (line !== undefined) return line;
      await orAborted(awoken, signal);
    }
  }

  /** Lets go of the line that `next` gave. */
  async done(): Promise<void> {
    const taken = this.#taken;
    this.#taken = undefined;
    if (taken?.segment !== this.#position.segment) return; // dropped meanwhile
    this.#read++;
    await this.#moveTo({ ...this.#position, offset: this.#position.offset + taken.bytes });
  }

  async close(call: Call): Promise<void> {
    await this.#writer.close(call);
    await this.#file.close();
  }

  async #oldest(): Promise<string | undefined> {
    for (let segment = this.#segments[0]; segment !== undefined; segment = this.#segments[0]) {
      if (segment.number !== this.#position.segment) {
        this.#read = 0;
        await this.#moveTo({ segment: segment.number, offset: 0 });
      }
      const path = segmentPath(this.#parts.directory, segment.number);
      const isLeft = this.#position.offset < segment.bytes;
      const line = isLeft ? await readLineAt(path, this.#position.offset) : undefined;
      if (this.#segments[0] !== segment) continue; // dropped meanwhile
      if (line !== undefined) {
        this.#taken = { segment: segment.number, bytes: line.length };
        return line.toString("utf8", 0, line.length - 1);
      }
      if (this.#segments.length === 1) return undefined;
      await this.#removeOldest();
    }
    return undefined;
  }

  /** The position is a help for the next start: a disk that does not take it stops nothing. */
  async #moveTo(position: Position): Promise<void> {
    this.#position = position;
    await this.#file.write(position).catch(() => {});
  }

  async #removeOldest(): Promise<void> {
    const [segment] = this.#segments.splice(0, 1);
    this.#read = 0;
    if (segment !== undefined) await removeSegment(this.#parts.directory, segment).catch(() => {});
  }

  #bound(): void {
    const total = this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
    const [oldest] = this.#segments;
    if (total <= this.#parts.maximumBytes || this.#segments.length < 2 || !oldest) return;
    const isRead = oldest.number === this.#position.segment;
    this.#parts.dropped(oldest.lines - (isRead ? this.#read : 0), "too many wait");
    void this.#removeOldest();
    this.#bound();
  }
}

/** Opens the queue in `directory`, with what an earlier process left there. */
export async function openEventQueue(parts: EventQueueParts): Promise<EventQueue> {
  const { directory } = parts;
  await makeDirectory(directory, 0o700);
  const file = await openPositionFile(join(directory, "position"));
  const position = (await file.read()) ?? { segment: 0, offset: 0 };
  const segments: Segment[] = [];
  for (const segment of await readSegments(directory)) {
    if (segment.number < position.segment) await removeSegment(directory, segment);
    else segments.push(segment);
  }
  const isHere = segments[0]?.number === position.segment;
  const read = isHere ? await countLines(directory, position.segment, position.offset) : 0;
  return new EventQueue(parts, { segments, file, position, read });
}
