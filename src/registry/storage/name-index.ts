import { type BigIntStats, type Dir, type Dirent, opendirSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import type { NamesPage } from "../storage-driver.ts";
import { ifThere } from "./file-steps.ts";
import { leadsBack } from "./leads-back.ts";
import { firstNames, type SortedRun, sortedRun } from "./sorted-runs.ts";

/** What a directory's names are compared by: which it is, and when it was last changed. */
interface Stamp {
  device: bigint;
  file: bigint;
  modified: bigint;
  changed: bigint;
  /** Of the directory itself: how much there is to read, more or less. */
  size: bigint;
}

interface Index {
  stamp: Stamp;
  runs: readonly SortedRun[];
  bytes: number;
}

/** A reading of a directory that goes on. */
interface Reading {
  stamp: Stamp;
  index: Promise<Index | undefined>;
}

const mostBytes = 16 * 1024 ** 2;
/** Of a directory with a few thousand names. */
const fewBytes = 128n * 1024n;
/** So many are sorted before others on the same thread have their turn: a few milliseconds. */
const namesInPart = 4096;
/** A change within this time of another one may leave the stamp as it is, on some file systems. */
const settledMs = 2_500;
/** On those that tell the time more exactly than by the second, and by this machine's clock. */
const settledHereMs = 100;

/**
 * The sorted names of large directories, for those who read them page by page. The directory itself
 * says whether they still hold: its time of change is that of the last name that came or went,
 * whichever process did it. What was changed just now is read again until it can be told apart; of
 * anything else there is one reading, whoever asks meanwhile.
 */
export class NameIndexes {
  readonly #isListed: (name: string) => boolean;
  readonly #isHere: boolean;
  readonly #now: () => number;
  readonly #kept = new Map<string, Index>();
  readonly #readings = new Map<string, Reading>();
  #keptBytes = 0;

  /** @param isHere whether this is a file system of this machine, by whose clock it tells the time */
  constructor(
    isListed: (name: string) => boolean,
    { isHere, now = Date.now }: { isHere: boolean; now?: () => number },
  ) {
    this.#isListed = isListed;
    this.#isHere = isHere;
    this.#now = now;
  }

  /** The first names after `after`; `undefined` when there are more in all than are kept. */
  async page(directory: string, page: NamesPage): Promise<string[] | undefined> {
    const nowMs = this.#now();
    const stamp = stampOf(directory);
    if (stamp === undefined) return [];
    const isSettled = this.#isSettled(stamp, nowMs);
    const known = this.#kept.get(directory);
    if (known !== undefined) this.#forget(directory, known);
    const index =
      known && isSame(known.stamp, stamp)
        ? known
        : await (isSettled ? this.#readOnce(directory, stamp) : this.#read(directory, stamp));
    if (index === undefined) return undefined;
    if (isSettled) this.#keep(directory, index);
    return firstNames(index.runs, page);
  }

  /** Whether any change after `nowMs`, which was before the look at it, gives it another stamp. */
  #isSettled({ changed }: Stamp, nowMs: number): boolean {
    const isExact = this.#isHere && changed % 1_000_000_000n !== 0n;
    return nowMs - Number(changed / 1_000_000n) > (isExact ? settledHereMs : settledMs);
  }

  /** With those who wait for the same already, as nothing has changed since that was begun. */
  async #readOnce(directory: string, stamp: Stamp): Promise<Index | undefined> {
    const other = this.#readings.get(directory);
    if (other !== undefined && isSame(other.stamp, stamp)) return await other.index;
    const reading = { stamp, index: this.#read(directory, stamp) };
    this.#readings.set(directory, reading);
    try {
      return await reading.index;
    } finally {
      if (this.#readings.get(directory) === reading) this.#readings.delete(directory);
    }
  }

  async #read(directory: string, stamp: Stamp): Promise<Index | undefined> {
    const runs: SortedRun[] = [];
    let bytes = 0;
    for await (const entries of partsOf(directory, stamp)) {
      const listed = entries.filter((entry) => this.#isNamed(directory, entry));
      const run = sortedRun(listed.map(({ name }) => name));
      bytes += run.length;
      if (bytes > mostBytes) return undefined;
      runs.push(run);
    }
    return { stamp, runs, bytes };
  }

  #isNamed(directory: string, entry: Dirent): boolean {
    const { name } = entry;
    if (!this.#isListed(name) || name.includes("\n")) return false;
    return !(entry.isSymbolicLink() && leadsBack(directory, name));
  }

  #keep(directory: string, index: Index): void {
    const other = this.#kept.get(directory);
    if (other !== undefined) this.#forget(directory, other);
    this.#kept.set(directory, index);
    this.#keptBytes += index.bytes;
    for (const [oldest, { bytes }] of this.#kept) {
      if (this.#keptBytes <= mostBytes) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= bytes;
    }
  }

  #forget(directory: string, { bytes }: Index): void {
    this.#kept.delete(directory);
    this.#keptBytes -= bytes;
  }
}

/** Blocks, as whoever reads pages is on a thread that does: that takes a tenth of the time. */
function stampOf(directory: string): Stamp | undefined {
  const found: BigIntStats | undefined = ifThere(() => statSync(directory, { bigint: true }));
  if (found === undefined) return undefined;
  const { dev, ino, mtimeNs, ctimeNs, size } = found;
  return { device: dev, file: ino, modified: mtimeNs, changed: ctimeNs, size };
}

/**
 * A few all at once. Many in the order they come in, as to have them sorted by the system takes longer
 * than the rest; and while some are looked at, Node's own threads read the next.
 */
async function* partsOf(directory: string, { size }: Stamp): AsyncGenerator<Dirent[]> {
  if (size > fewBytes) yield* partsOfMany(directory);
  else yield await readdir(directory, { withFileTypes: true });
}

async function* partsOfMany(directory: string): AsyncGenerator<Dirent[]> {
  const opened = opendirSync(directory, { bufferSize: namesInPart });
  let reading = opened.read();
  try {
    for (let first = await reading; first !== null; first = await reading) {
      const entries = [first, ...readBesides(opened)];
      const isLast = entries.length < namesInPart;
      if (!isLast) reading = opened.read();
      yield entries;
      if (isLast) return;
    }
  } finally {
    await reading.catch(() => {}); // told already, or nobody waits for it any more
    opened.closeSync();
  }
}

/** The others of a part, which came together with its first. */
function readBesides(opened: Dir): Dirent[] {
  const others: Dirent[] = [];
  while (others.length < namesInPart - 1) {
    const entry = opened.readSync();
    if (entry === null) break;
    others.push(entry);
  }
  return others;
}

function isSame(one: Stamp, other: Stamp): boolean {
  return (
    one.device === other.device &&
    one.file === other.file &&
    one.modified === other.modified &&
    one.changed === other.changed
  );
}
