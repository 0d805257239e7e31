import type { Digest } from "../../oci/digest.ts";

/** Where something stored may be seen: as a blob, or as a manifest, of a repository. */
export interface CachePlace {
  repository: string;
  kind: "blob" | "manifest";
}

interface Entry {
  size: number;
  usedAtMs: number;
  places: Set<string>;
}

/** What the cache holds: how much, where, and when it was last used. The least recently used first. */
export class CacheIndex {
  readonly #entries = new Map<Digest, Entry>();
  readonly #pins = new Map<Digest, number>();
  #bytes = 0;

  /** The sum of everything that is stored. */
  get bytes(): number {
    return this.#bytes;
  }

  has(digest: Digest): boolean {
    return this.#entries.has(digest);
  }

  /** Notes that it is stored, and used at that time, unless it was known to be used later. */
  keep(digest: Digest, size: number, place: CachePlace, usedAtMs: number): void {
    const entry = this.#entries.get(digest) ?? { size, usedAtMs, places: new Set() };
    if (!this.#entries.delete(digest)) this.#bytes += size;
    entry.usedAtMs = Math.max(entry.usedAtMs, usedAtMs);
    entry.places.add(`${place.kind} ${place.repository}`);
    this.#entries.set(digest, entry);
  }

  forget(digest: Digest): void {
    this.#bytes -= this.#entries.get(digest)?.size ?? 0;
    this.#entries.delete(digest);
  }

  /** Keeps it from being evicted until the result is called. */
  pin(digest: Digest): () => void {
    this.#pins.set(digest, (this.#pins.get(digest) ?? 0) + 1);
    let isHeld = true;
    return () => {
      const count = this.#pins.get(digest) ?? 0;
      if (isHeld && count <= 1) this.#pins.delete(digest);
      else if (isHeld) this.#pins.set(digest, count - 1);
      isHeld = false;
    };
  }

  /** The least recently used one that nobody is served; with `before`, of those not used since. */
  leastUsed(before = Number.POSITIVE_INFINITY): Digest | undefined {
    for (const [digest, { usedAtMs }] of this.#entries) {
      if (usedAtMs >= before) return undefined;
      if (!this.#pins.has(digest)) return digest;
    }
    return undefined;
  }

  placesOf(digest: Digest): CachePlace[] {
    return [...(this.#entries.get(digest)?.places ?? [])].map((text) => {
      const [kind, repository = ""] = text.split(" ");
      return { kind: kind === "manifest" ? "manifest" : "blob", repository };
    });
  }

  /** After entries were kept in another order than they were used. */
  sort(): void {
    const sorted = [...this.#entries].sort(([, a], [, b]) => a.usedAtMs - b.usedAtMs);
    this.#entries.clear();
    for (const [digest, entry] of sorted) this.#entries.set(digest, entry);
  }

  *uses(): Iterable<[Digest, number]> {
    for (const [digest, { usedAtMs }] of this.#entries) yield [digest, usedAtMs];
  }
}
