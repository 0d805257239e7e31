import { createHmac, randomBytes } from "node:crypto";
import { type Clock, isWithin } from "../../base/clock.ts";

/** Long enough for a push of many layers, short enough that a thief of memory finds little. */
const rememberedMs = 300_000;
const maximumEntries = 4_096;

/** What was tried: a password against a hash. With another hash it is something else. */
export interface Trial {
  user: string;
  password: string;
  hash: string;
}

/**
 * Remembers for a while which passwords were right, under a digest that is worth nothing outside of
 * this process. Who asks for the same while it is being checked gets the same answer.
 */
export class VerifiedCredentials {
  readonly #clock: Clock;
  readonly #key = randomBytes(32);
  readonly #since = new Map<string, number>();
  readonly #underWay = new Map<string, Promise<boolean>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async isRight(trial: Trial, check: () => Promise<boolean>): Promise<boolean> {
    const name = this.#nameOf(trial);
    const sinceMs = this.#since.get(name);
    const isKnown =
      sinceMs !== undefined && isWithin({ limitMs: rememberedMs, sinceMs }, this.#clock);
    if (isKnown) return true;
    this.#since.delete(name);
    const known = this.#underWay.get(name);
    if (known !== undefined) return await known;
    const result = check();
    this.#underWay.set(name, result);
    try {
      if (!(await result)) return false;
    } finally {
      this.#underWay.delete(name);
    }
    this.#remember(name);
    return true;
  }

  #remember(name: string): void {
    const [oldest] = this.#since.keys();
    if (this.#since.size >= maximumEntries && oldest !== undefined) this.#since.delete(oldest);
    this.#since.set(name, this.#clock.now().getTime());
  }

  #nameOf({ user, password, hash }: Trial): string {
    const hmac = createHmac("sha256", this.#key);
    return hmac.update(JSON.stringify([user, hash, password])).digest("base64");
  }
}
