import { type Clock, isWithin } from "../../base/clock.ts";
import type { Digest } from "../../oci/digest.ts";

interface KnownTag {
  /** `undefined` when its registry has no such tag. */
  digest: Digest | undefined;
  atMs: number;
}

const maximumKnown = 50_000;

/** When each tag was last asked for, and what it meant then. */
export class TagMemory {
  readonly #tags = new Map<string, KnownTag>();
  readonly #clock: Clock;
  readonly #ttlMs: number;

  constructor(ttlMs: number, clock: Clock) {
    this.#ttlMs = ttlMs;
    this.#clock = clock;
  }

  /** What it still means without asking; `undefined` when it has to be asked for. */
  fresh(key: string): { digest: Digest | undefined } | undefined {
    const known = this.#tags.get(key);
    if (!known) return undefined;
    const remembered = { limitMs: this.#ttlMs, sinceMs: known.atMs };
    return isWithin(remembered, this.#clock) ? known : undefined;
  }

  keep(key: string, digest: Digest | undefined): void {
    this.#tags.delete(key);
    const oldest = this.#tags.keys().next();
    if (this.#tags.size >= maximumKnown && !oldest.done) this.#tags.delete(oldest.value);
    this.#tags.set(key, { digest, atMs: this.#clock.now().getTime() });
  }
}
