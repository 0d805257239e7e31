import { createHash } from "node:crypto";
import type { Logger } from "../../base/logger.ts";
import type { Secret } from "../../base/secret.ts";
import { AuthError, type Wish } from "./authenticator.ts";
import type { TokenKeys } from "./token-keys.ts";
import { type TokenRules, type VerifiedToken, verifyToken } from "./token-verifier.ts";

/** A token that is good now. */
export interface ReadToken extends Pick<VerifiedToken, "subject" | "credential"> {
  /** Whether it was made for this as well. */
  allows(wish: Wish): boolean;
}

/** @throws {AuthError} `CREDENTIALS_REFUSED`; `UNAVAILABLE` when the keys cannot be used */
export type TokenReader = (token: Secret, address: string) => Promise<ReadToken>;

const maximumRemembered = 4_096;

interface Remembered {
  token: ReadToken;
  expiresAtMs: number;
  /** Where the clock was set back since, it may not be good yet. */
  readAtMs: number;
}

/**
 * Reads tokens that are signed with `currentKeys`. One that was found to be good is remembered until
 * it ends or the keys change.
 */
export function tokenReader(
  currentKeys: () => Promise<TokenKeys>,
  rules: TokenRules,
  logger: Logger,
): TokenReader {
  let remembered = new Map<string, Remembered>();
  let rememberedFor: TokenKeys | undefined;

  return async (secret, address) => {
    const keys = await currentKeys();
    if (keys !== rememberedFor) remembered = new Map();
    rememberedFor = keys;
    const text = secret.reveal();
    const name = createHash("sha256").update(text).digest("base64");
    const known = remembered.get(name);
    const nowMs = rules.clock.now().getTime();
    if (known && known.readAtMs <= nowMs && nowMs < known.expiresAtMs) return known.token;
    const verified = await verifiedFrom(text, keys, address);
    const token = { ...verified, allows: allowsOf(verified) };
    if (keys === rememberedFor) remember(name, token, verified.expiresAtMs);
    return token;
  };

  async function verifiedFrom(text: string, keys: TokenKeys, address: string) {
    try {
      return await verifyToken(text, keys, rules);
    } catch (error) {
      // Not the error itself: its cause may hold the claims.
      const reason = error instanceof Error ? error.message : "unknown";
      logger.info("a token was refused", { reason, address });
      throw new AuthError("CREDENTIALS_REFUSED", "the token is not valid");
    }
  }

  function remember(name: string, token: ReadToken, expiresAtMs: number): void {
    const [oldest] = remembered.keys();
    if (remembered.size >= maximumRemembered && oldest !== undefined) remembered.delete(oldest);
    remembered.set(name, { token, expiresAtMs, readAtMs: rules.clock.now().getTime() });
  }
}

function allowsOf({ access }: VerifiedToken): ReadToken["allows"] {
  const actions = new Map<string, Set<string>>();
  for (const { type, name, actions: allowed } of access) {
    const resource = `${type}:${name}`;
    actions.set(resource, new Set([...(actions.get(resource) ?? []), ...allowed]));
  }
  return ({ type, name, action }) => {
    const allowed = actions.get(`${type}:${name}`);
    return allowed !== undefined && (allowed.has(action) || allowed.has("*"));
  };
}
