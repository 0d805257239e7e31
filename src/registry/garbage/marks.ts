import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import { type StorageDriver, StorageError, type StoragePath } from "../storage-driver.ts";
import { DigestSet } from "./digest-set.ts";
import { GarbageError } from "./garbage-error.ts";

/*
 * Marks are kept in files, `segment-0` and on, each a table of 257 positions and then the marks,
 * eight bytes each, ordered by their first byte: position n is where those of byte n begin, in marks.
 * So the sweep of one 256th of the blobs reads one 256th of the marks.
 */
const buckets = 256;
const tableBytes = 4 * (buckets + 1);
const markBytes = 8;
const segmentMarks = 500_000;
const missingCodes: readonly string[] = ["NOT_FOUND", "INVALID_OFFSET"];

/** What is not to be swept away; memory is bound by the size of a segment. */
export class Marks {
  readonly #storage: StorageDriver;
  readonly #directory: StoragePath;
  #segments: number;
  #fresh = new DigestSet();

  /** Goes on with the `segments` that are there already. */
  constructor(storage: StorageDriver, directory: StoragePath, segments: number) {
    this.#storage = storage;
    this.#directory = directory;
    this.#segments = segments;
  }

  async add(digest: Digest, call: Call): Promise<void> {
    this.#fresh.add(digest);
    if (this.#fresh.size >= segmentMarks) await this.save(call);
  }

  /** Makes all marks durable; resolves to the number of segments. */
  async save(call: Call): Promise<number> {
    const marks = this.#fresh;
    if (marks.size > 0) {
      this.#fresh = new DigestSet();
      const place = this.#placeOf(this.#segments++);
      await this.#storage.write(place, segmentOf(marks), call);
    }
    return this.#segments;
  }

  /** Those whose hex begins with `prefix`, two characters. Only what was saved. */
  async read(prefix: string, { signal }: Call): Promise<DigestSet> {
    const marks = new DigestSet();
    const bucket = Number.parseInt(prefix, 16);
    for (let segment = 0; segment < this.#segments; segment++) {
      const path = this.#placeOf(segment);
      const table = await this.#part(path, { from: 0, to: tableBytes, signal });
      if (table.readUInt32BE(4 * buckets) === 0) throw lost(path); // none is written empty
      const [first, last] = [0, 4].map((next) => table.readUInt32BE(4 * bucket + next));
      const [from = 0, to = 0] = [first, last].map((mark = 0) => tableBytes + markBytes * mark);
      const part = await this.#part(path, { from, to, signal });
      for (let at = 0; at < part.length; at += markBytes) {
        marks.addWords(part.readUInt32BE(at), part.readUInt32BE(at + 4));
      }
    }
    return marks;
  }

  async #part(path: StoragePath, range: Call & { from: number; to: number }): Promise<Buffer> {
    const part = Buffer.alloc(range.to - range.from);
    let size = 0;
    try {
      for await (const chunk of await this.#storage.read(path, range)) {
        part.set(chunk, size);
        size += chunk.length;
      }
    } catch (error) {
      const isMissing = error instanceof StorageError && missingCodes.includes(error.code);
      throw isMissing ? lost(path, error) : error;
    }
    if (size < part.length) throw lost(path);
    return part;
  }

  #placeOf(segment: number): StoragePath {
    return `${this.#directory}/segment-${segment}`;
  }
}

function lost(path: StoragePath, cause?: unknown): GarbageError {
  return new GarbageError("MARKS_LOST", `${path} is not as it was written`, {
    cause,
    hint: "check the storage directory's volume, and collect again: it begins anew",
  });
}

function segmentOf(marks: DigestSet): Buffer {
  const ends = new Uint32Array(buckets + 1);
  for (const [high] of marks.words()) countUp(ends, (high >>> 24) + 1);
  for (let bucket = 1; bucket <= buckets; bucket++) {
    ends[bucket] = (ends[bucket] ?? 0) + (ends[bucket - 1] ?? 0);
  }
  const segment = Buffer.alloc(tableBytes + markBytes * marks.size);
  for (const [bucket, end] of ends.entries()) segment.writeUInt32BE(end, 4 * bucket);
  const next = ends.slice();
  for (const [high, low] of marks.words()) {
    const at = tableBytes + markBytes * countUp(next, high >>> 24);
    segment.writeUInt32BE(high, at);
    segment.writeUInt32BE(low, at + 4);
  }
  return segment;
}

/** The count before it. */
function countUp(counts: Uint32Array, at: number): number {
  const count = counts[at] ?? 0;
  counts[at] = count + 1;
  return count;
}
