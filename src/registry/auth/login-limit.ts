import { createHmac, randomBytes } from "node:crypto";
import { isIPv6 } from "node:net";
import * as v from "valibot";
import type { Clock } from "../../base/clock.ts";
import { YesOrNo } from "../config-values.ts";
import { AuthError } from "./authenticator.ts";

export const LoginLimitOptions = v.strictObject({
  disabled: v.optional(YesOrNo, false),
  /** How many wrong passwords are free, from one address for one user. */
  attempts: v.optional(
    v.pipe(
      v.number("write a number"),
      v.integer("write a whole number"),
      v.minValue(1, "write a number above 0; disabled: true turns the limit off"),
    ),
    10,
  ),
});
export type LoginLimitOptions = v.InferOutput<typeof LoginLimitOptions>;

/** Who tries to log in as whom. */
export interface Attempt {
  address: string;
  user: string;
}

interface Failures {
  count: number;
  /** Checks whose outcome is not known yet: they must not be more than the failures still free. */
  underWay: number;
  blockedUntilMs: number;
  forgottenAtMs: number;
}

const firstBlockMs = 1_000;
const longestBlockMs = 300_000;
/** A password that was mistyped today has nothing to do with one of last week. */
const forgottenAfterMs = 900_000;
const maximumEntries = 10_000;
/** A quarter of what may wait for the thread that checks: one flood must not keep everybody out. */
const underWayFromOneNetwork = 64;
const evictionCandidates = 32;

/**
 * Slows down whoever guesses passwords: after some wrong ones for a user from one address, that
 * address waits for that user; twice as long after each further one. Others notice nothing.
 */
export class LoginLimit {
  readonly #options: LoginLimitOptions;
  readonly #clock: Clock;
  /** The longest unused first. Under digests, so that long names take no more memory than short ones. */
  readonly #failures = new Map<string, Failures>();
  readonly #key = randomBytes(32);
  /** How many checks each network waits for. */
  readonly #underWay = new Map<string, number>();

  constructor(options: LoginLimitOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** @throws {AuthError} `TOO_MANY_FAILURES`, also for somebody who knows the password now */
  check(attempt: Attempt): void {
    if (this.#options.disabled || this.#failures.size === 0) return;
    const known = this.#find(this.#nameOf(attempt));
    const waitMs = Math.min((known?.blockedUntilMs ?? 0) - this.#nowMs(), longestBlockMs);
    if (waitMs > 0) throw tooMany(waitMs);
  }

  /**
   * Counts what `isRight` resolves to.
   *
   * @throws {AuthError} `TOO_MANY_FAILURES` when as many are under way as may still fail
   */
  async counted(attempt: Attempt, isRight: () => Promise<boolean>): Promise<boolean> {
    if (this.#options.disabled) return await isRight();
    const name = this.#nameOf(attempt);
    const entry = this.#find(name) ?? this.#add(name);
    // Once blocked and let go again, one at a time.
    const free = Math.max(1, this.#options.attempts - entry.count);
    const network = networkOf(attempt.address);
    const isCrowded = (this.#underWay.get(network) ?? 0) >= underWayFromOneNetwork;
    if (entry.underWay >= free || isCrowded) throw tooMany(firstBlockMs);
    entry.underWay++;
    this.#countUnderWay(network, 1);
    try {
      const result = await isRight();
      if (result) entry.count = 0;
      else this.#failed(name, entry);
      return result;
    } finally {
      entry.underWay--;
      this.#countUnderWay(network, -1);
      if (entry.count === 0 && entry.underWay === 0) this.#failures.delete(name);
    }
  }

  #countUnderWay(network: string, change: number): void {
    const count = (this.#underWay.get(network) ?? 0) + change;
    if (count === 0) this.#underWay.delete(network);
    else this.#underWay.set(network, count);
  }

  #failed(name: string, entry: Failures): void {
    entry.count++;
    const over = entry.count - this.#options.attempts;
    const blockMs = over < 0 ? 0 : Math.min(longestBlockMs, firstBlockMs * 2 ** over);
    entry.blockedUntilMs = this.#nowMs() + blockMs;
    entry.forgottenAtMs = this.#nowMs() + forgottenAfterMs;
    this.#failures.delete(name);
    this.#failures.set(name, entry);
  }

  #find(name: string): Failures | undefined {
    const entry = this.#failures.get(name);
    if (entry && (entry.underWay > 0 || this.#isKept(entry))) return entry;
    this.#failures.delete(name);
    return undefined;
  }

  /** One of a time when the clock was ahead must not keep anybody out until that time. */
  #isKept({ forgottenAtMs }: Failures): boolean {
    const leftMs = forgottenAtMs - this.#nowMs();
    return leftMs > 0 && leftMs <= forgottenAfterMs;
  }

  #add(name: string): Failures {
    if (this.#failures.size >= maximumEntries) this.#evict();
    const forgottenAtMs = this.#nowMs() + forgottenAfterMs;
    const entry = { count: 0, underWay: 0, blockedUntilMs: 0, forgottenAtMs };
    this.#failures.set(name, entry);
    return entry;
  }

  /** Of the oldest, the one with the fewest failures: made-up names must not wash out a real count. */
  #evict(): void {
    let fewest: { name: string; count: number } | undefined;
    let seen = 0;
    for (const [name, { count }] of this.#failures) {
      if (fewest === undefined || count < fewest.count) fewest = { name, count };
      if (++seen >= evictionCandidates) break;
    }
    if (fewest) this.#failures.delete(fewest.name);
  }

  #nameOf({ address, user }: Attempt): string {
    const name = `${networkOf(address)} ${user}`;
    return createHmac("sha256", this.#key).update(name).digest("base64");
  }

  #nowMs(): number {
    return this.#clock.now().getTime();
  }
}

/** One customer has a whole /64 of IPv6, and may use another address each time. */
function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  if (!isIPv6(plain)) return plain;
  const [head = "", tail] = plain.split("%", 1)[0]?.split("::") ?? [];
  const front = head.split(":").filter(Boolean);
  const back = tail?.split(":").filter(Boolean) ?? [];
  const zeros = Array.from({ length: Math.max(0, 8 - front.length - back.length) }, () => "0");
  return [...front, ...zeros, ...back].slice(0, 4).join(":");
}

function tooMany(waitMs: number): AuthError {
  return new AuthError("TOO_MANY_FAILURES", "too many failed logins; try again later", {
    retryAfterMs: waitMs,
    hint: "wait as long as Retry-After says, and check the password",
  });
}
