import { type BigIntStats, type Dirent, statSync } from "node:fs";
import { opendir, readdir } from "node:fs/promises";
import { ifThere } from "./file-steps.ts";
import { leadsBack } from "./leads-back.ts";

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
  /** The names in the order of their bytes, each ended by a line break. */
  names: Buffer;
}

const mostBytes = 16 * 1024 ** 2;
/** A few hundred thousand names. */
const mostDirectoryBytes = 8n * 1024n ** 2n;
/** A change within this time of another one may leave the stamp as it is, on some file systems. */
const settledMs = 2_500;
/** On those that tell the time more exactly than by the second, and by this machine's clock. */
const settledHereMs = 100;
const newline = 0x0a;

/**
 * The sorted names of large directories, for those who read them page by page. The directory itself
 * says whether they still hold: its time of change is that of the last name that came or went,
 * whichever process did it. What was changed just now is read again until it can be told apart.
 */
export class NameIndexes {
  readonly #isListed: (name: string) => boolean;
  readonly #isHere: boolean;
  readonly #now: () => number;
  readonly #kept = new Map<string, Index>();
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
  async page(
    directory: string,
    { after, count }: { after: string | undefined; count: number },
  ): Promise<string[] | undefined> {
    const nowMs = this.#now();
    const stamp = stampOf(directory);
    if (stamp === undefined) return [];
    const known = this.#kept.get(directory);
    if (known !== undefined) this.#forget(directory, known);
    const index = known && isSame(known.stamp, stamp) ? known : await this.#read(directory, stamp);
    if (index === undefined) return undefined;
    if (this.#isSettled(stamp, nowMs)) this.#keep(directory, index);
    return namesAfter(index.names, after, count);
  }

  #isSettled({ changed }: Stamp, nowMs: number): boolean {
    const isExact = this.#isHere && changed % 1_000_000_000n !== 0n;
    return nowMs - Number(changed / 1_000_000n) > (isExact ? settledHereMs : settledMs);
  }

  async #read(directory: string, stamp: Stamp): Promise<Index | undefined> {
    const names: string[] = [];
    let bytes = 0;
    for await (const entries of entriesOf(directory, stamp)) {
      for (const entry of entries) {
        const { name } = entry;
        if (!this.#isListed(name) || name.includes("\n")) continue;
        if (entry.isSymbolicLink() && leadsBack(directory, name)) continue;
        names.push(name);
        bytes += name.length + 1;
      }
      if (bytes > mostBytes) return undefined;
    }
    sort(names);
    return { stamp, names: Buffer.from(names.length === 0 ? "" : `${names.join("\n")}\n`) };
  }

  #keep(directory: string, index: Index): void {
    const other = this.#kept.get(directory);
    if (other !== undefined) this.#forget(directory, other);
    this.#kept.set(directory, index);
    this.#keptBytes += index.names.length;
    for (const [oldest, { names }] of this.#kept) {
      if (this.#keptBytes <= mostBytes) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= names.length;
    }
  }

  #forget(directory: string, { names }: Index): void {
    this.#kept.delete(directory);
    this.#keptBytes -= names.length;
  }
}

/** Blocks, as whoever reads pages is on a thread that does: that takes a tenth of the time. */
function stampOf(directory: string): Stamp | undefined {
  const found: BigIntStats | undefined = ifThere(() => statSync(directory, { bigint: true }));
  if (found === undefined) return undefined;
  const { dev, ino, mtimeNs, ctimeNs, size } = found;
  return { device: dev, file: ino, modified: mtimeNs, changed: ctimeNs, size };
}

/** All at once, which takes a third of the time and comes sorted, where they are not too many. */
async function* entriesOf(directory: string, { size }: Stamp): AsyncGenerator<Dirent[]> {
  if (size <= mostDirectoryBytes) yield await readdir(directory, { withFileTypes: true });
  else for await (const entry of await opendir(directory, { bufferSize: 4096 })) yield [entry];
}

function sort(names: string[]): void {
  const isSorted = names.every((name, at) => at === 0 || (names[at - 1] ?? "") < name);
  if (!isSorted) names.sort((one, other) => (one < other ? -1 : 1));
}

function isSame(one: Stamp, other: Stamp): boolean {
  return (
    one.device === other.device &&
    one.file === other.file &&
    one.modified === other.modified &&
    one.changed === other.changed
  );
}

/** Looks for the place by halving, as a line begins wherever one ends. */
function namesAfter(names: Buffer, after: string | undefined, count: number): string[] {
  let [low, high] = [0, names.length];
  while (after !== undefined && low < high) {
    const middle = Math.floor((low + high) / 2);
    const begin = middle === 0 ? 0 : names.lastIndexOf(newline, middle - 1) + 1;
    const end = names.indexOf(newline, begin);
    if (names.toString("utf8", begin, end) <= after) low = end + 1;
    else high = begin;
  }
  const found: string[] = [];
  for (let begin = low; begin < names.length && found.length < count; ) {
    const end = names.indexOf(newline, begin);
    found.push(names.toString("utf8", begin, end));
    begin = end + 1;
  }
  return found;
}
