import { randomUUID, sign } from "node:crypto";
import { Secret } from "../../base/secret.ts";
import type { SigningKey } from "./signing-key.ts";

/** RFC 7519, section 4.1, apart from those that are the same in all or are found out here. */
export interface TokenClaims {
  iss: string;
  aud: string;
  sub: string;
  issuedAt: Date;
  expiresAtMs: number;
  /** What our own server wants to find again. */
  more: Readonly<Record<string, unknown>>;
}

/** A JSON Web Token, signed with ES256 (RFC 7515; RFC 7518, section 3.4). */
export function signedToken(
  { issuedAt, expiresAtMs, more, ...names }: TokenClaims,
  { privateKey, id }: SigningKey,
): Secret {
  const iat = Math.floor(issuedAt.getTime() / 1000);
  const exp = Math.floor(expiresAtMs / 1000);
  const claims = { ...names, iat, nbf: iat, exp, jti: randomUUID(), ...more };
  const content = `${encoded({ typ: "JWT", alg: "ES256", kid: id })}.${encoded(claims)}`;
  const key = { key: privateKey, dsaEncoding: "ieee-p1363" } as const;
  const signature = sign("sha256", Buffer.from(content), key).toString("base64url");
  return new Secret(`${content}.${signature}`);
}

const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
