import type { Digest } from "../../oci/digest.ts";
import { DigestSet } from "../garbage/digest-set.ts";
import { globPattern } from "../repository-glob.ts";
import type { QuotaRule } from "./options.ts";

/** Bytes that are about to be stored: they count until it is known whether they are. */
export interface Reservation {
  /** They are stored. */
  keep(): void;
  /** They are not. No more than the first call of either has an effect. */
  release(): void;
}

interface Count {
  digests: DigestSet;
  bytes: number;
}

/**
 * How much of one quota is used: each blob counts once, however many of the repositories have it.
 *
 * What comes is added at once; what goes is found out by counting anew. Until the first count has
 * ended less is known of than is there, and so more is let in.
 */
export class QuotaCount {
  readonly rule: QuotaRule;
  /** When it was last counted from beginning to end. */
  countedAt: Date | undefined;
  readonly #pattern: RegExp;
  #count: Count = { digests: new DigestSet(), bytes: 0 };
  #next: Count | undefined;
  #reserved = 0;

  constructor(rule: QuotaRule) {
    this.rule = rule;
    this.#pattern = globPattern(rule.repositories);
  }

  appliesTo(repository: string): boolean {
    return this.#pattern.test(repository);
  }

  get used(): number {
    return this.#count.bytes;
  }

  /** Of a blob, what would be added to what is used. */
  costOf(digest: Digest, size: number): number {
    return this.#count.digests.has(digest) ? 0 : size;
  }

  /** How many bytes more may come. */
  get room(): number {
    return Math.max(0, this.rule.size - this.#count.bytes - this.#reserved);
  }

  reserve(digest: Digest, size: number): Reservation {
    const cost = this.costOf(digest, size);
    this.#reserved += cost;
    let isOpen = true;
    const end = () => {
      if (isOpen) this.#reserved -= cost;
      isOpen = false;
    };
    return {
      keep: () => {
        if (isOpen) this.#add(digest, size);
        end();
      },
      release: end,
    };
  }

  beginCount(): void {
    this.#next = this.countedAt ? { digests: new DigestSet(), bytes: 0 } : this.#count;
  }

  isCounted(digest: Digest): boolean {
    return this.#next?.digests.has(digest) ?? true;
  }

  count(digest: Digest, size: number): void {
    if (this.#next?.digests.add(digest)) this.#next.bytes += size;
  }

  endCount(at: Date): void {
    this.#count = this.#next ?? this.#count;
    this.#next = undefined;
    this.countedAt = at;
  }

  #add(digest: Digest, size: number): void {
    if (this.#next !== this.#count) this.count(digest, size);
    if (this.#count.digests.add(digest)) this.#count.bytes += size;
  }
}
