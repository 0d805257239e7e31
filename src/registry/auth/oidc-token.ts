import * as v from "valibot";
import { AuthError } from "./authenticator.ts";

export type Claims = Readonly<Record<string, unknown>>;

export interface TokenExpectations {
  issuer: string;
  audience: readonly string[];
  toleranceMs: number;
  now: Date;
}

/** Keys of an issuer (RFC 7517), as it publishes them. */
export const KeySet = v.object({
  keys: v.array(v.looseObject({ kty: v.string() })),
});
export type KeySet = v.InferOutput<typeof KeySet>;

/** Never a shared secret: whoever checks could sign then. */
const algorithms = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA"],
];
const longestToken = 32_768;

const Shown = v.looseObject({ iss: v.string(), exp: v.number() });

/** What a JSON Web Token says of itself, which nobody has checked; `undefined` when it is none. */
export function claimsIn(token: string): v.InferOutput<typeof Shown> | undefined {
  const [head, payload, signature, ...more] = token.length > longestToken ? [] : token.split(".");
  if (!head?.startsWith("ey") || !payload || !signature || more.length > 0) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString());
    return v.is(Shown, claims) ? claims : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether `token` is one of the issuer's, for us, and of now (OpenID Connect Core, 3.1.3.7).
 *
 * @throws {AuthError} `CREDENTIALS_REFUSED`, with a reason that is for the log alone
 * @throws {UnknownKey} when it is signed by a key that is not in the set
 */
export async function checkToken(
  token: string,
  keys: KeySet,
  { issuer, audience, toleranceMs, now }: TokenExpectations,
): Promise<void> {
  const { createLocalJWKSet, errors, jwtVerify } = await import("jose");
  const asymmetric = { keys: keys.keys.filter(({ kty }) => kty !== "oct") };
  try {
    await jwtVerify(token, createLocalJWKSet(asymmetric), {
      ...{ issuer, audience: [...audience], algorithms, currentDate: now },
      ...{ clockTolerance: toleranceMs / 1000, requiredClaims: ["exp"] },
    });
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) throw new UnknownKey();
    const reason = error instanceof errors.JOSEError ? error.message : "the token cannot be read";
    throw new AuthError("CREDENTIALS_REFUSED", reason);
  }
}

/** The issuer may have another key since its keys were fetched. */
export class UnknownKey extends Error {}

/** A claim by its name, or by a path: some have dots in their names, some are within others. */
export function claimOf(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const part of name.split(".")) {
    const isThere = typeof value === "object" && value !== null && Object.hasOwn(value, part);
    if (!isThere) return undefined;
    value = (value as Claims)[part];
  }
  return value;
}

/** The texts that a claim has, be it one or a list. */
export function textsOf(claim: unknown): string[] {
  const isPlain = (value: unknown) => ["string", "number", "boolean"].includes(typeof value);
  return [claim].flat().filter(isPlain).map(String);
}
