import { type Digest, hexOf } from "../../oci/digest.ts";

const firstCapacity = 1024;

/**
 * A set of digests in some twenty bytes for each.
 *
 * It keeps the first 64 bits, and so may say that it has what it has not: once in thirty million
 * collections of a million blobs, and then a blob stays that could have gone. Never the other way.
 */
export class DigestSet {
  /** Two words for each place; both are 0 where there is nothing. */
  #words = new Uint32Array(2 * firstCapacity);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** `false` when it was there. */
  add(digest: Digest): boolean {
    return this.addWords(...wordsOf(digest));
  }

  has(digest: Digest): boolean {
    const [high, low] = wordsOf(digest);
    const at = this.#placeOf(high, low);
    return this.#words[at] === high && this.#words[at + 1] === low;
  }

  addWords(high: number, low: number): boolean {
    const at = this.#placeOf(high, low);
    if (this.#words[at] === high && this.#words[at + 1] === low) return false;
    this.#words[at] = high;
    this.#words[at + 1] = low;
    this.#size++;
    if (4 * this.#size > this.#words.length) this.#grow();
    return true;
  }

  *words(): Generator<readonly [high: number, low: number]> {
    for (let at = 0; at < this.#words.length; at += 2) {
      const [high = 0, low = 0] = this.#words.subarray(at, at + 2);
      if (high !== 0 || low !== 0) yield [high, low];
    }
  }

  /** Where these words are, or would be. */
  #placeOf(high: number, low: number): number {
    const places = this.#words.length / 2;
    for (let place = low & (places - 1); ; place = (place + 1) & (places - 1)) {
      const [first, second] = [this.#words[2 * place], this.#words[2 * place + 1]];
      if (first === high && second === low) return 2 * place;
      if (first === 0 && second === 0) return 2 * place;
    }
  }

  #grow(): void {
    const old = this.#words;
    this.#words = new Uint32Array(2 * old.length);
    for (let at = 0; at < old.length; at += 2) {
      const [high = 0, low = 0] = [old[at], old[at + 1]];
      if (high === 0 && low === 0) continue;
      const place = this.#placeOf(high, low);
      this.#words[place] = high;
      this.#words[place + 1] = low;
    }
  }
}

function wordsOf(digest: Digest): readonly [high: number, low: number] {
  const hex = hexOf(digest);
  const high = Number.parseInt(hex.slice(0, 8), 16);
  const low = Number.parseInt(hex.slice(8, 16), 16);
  return [high, high === 0 && low === 0 ? 1 : low];
}
