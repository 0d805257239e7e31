import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import * as v from "valibot";
import type { Clock } from "../../base/clock.ts";
import { leadsTo } from "./certificate-chain.ts";
import { namesOf, type TokenKeys } from "./token-keys.ts";
import type { TokenAlgorithm } from "./token-options.ts";

const leewaySeconds = 60;

const Claims = v.object({
  sub: v.optional(v.string(), ""),
  exp: v.number(),
  credential: v.optional(v.string()),
  access: v.optional(
    v.nullable(
      v.array(
        v.object({
          type: v.string(),
          name: v.string(),
          actions: v.optional(v.nullable(v.array(v.string()))),
        }),
      ),
    ),
  ),
});

export interface VerifiedToken {
  subject: string;
  /** When it stops being one, the allowance for other clocks included. */
  expiresAtMs: number;
  /** In the tokens of our own server: of which credentials it was made. */
  credential: string | undefined;
  access: readonly { type: string; name: string; actions: readonly string[] }[];
}

export interface TokenRules {
  issuer: string;
  service: string;
  algorithms: readonly TokenAlgorithm[];
  clock: Clock;
}

const Header = v.looseObject({
  alg: v.string(),
  kid: v.optional(v.string()),
  x5c: v.optional(v.array(v.string())),
  jwk: v.optional(v.looseObject({ kty: v.string(), x5c: v.optional(v.array(v.string())) })),
});
type Header = v.InferOutput<typeof Header>;

/**
 * Reads a JSON Web Token as Distribution does ("Token Authentication Implementation"): issuer,
 * audience, times, and a signature by a key we trust.
 *
 * @throws anything at all when it is not one of ours
 */
export async function verifyToken(
  token: string,
  keys: TokenKeys,
  { issuer, service, algorithms, clock }: TokenRules,
): Promise<VerifiedToken> {
  const { jwtVerify } = await import("jose");
  const now = clock.now();
  const { payload } = await jwtVerify(
    token,
    (header) => signerOf(formed(Header, header), keys, now),
    {
      issuer,
      audience: service,
      algorithms: [...algorithms],
      clockTolerance: leewaySeconds,
      currentDate: now,
      requiredClaims: ["exp"],
    },
  );
  const { sub, exp, credential, access } = formed(Claims, payload);
  return {
    subject: sub,
    expiresAtMs: (exp + leewaySeconds) * 1000,
    credential,
    access: (access ?? []).map(({ actions, ...rest }) => ({ ...rest, actions: actions ?? [] })),
  };
}

/** Says nothing of what is in the token. */
function formed<const S extends v.GenericSchema>(schema: S, value: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  throw new Error("the token has members of other kinds than it should");
}

/** In Distribution's order: a chain of certificates, the key itself, and then its id. */
function signerOf(header: Header, keys: TokenKeys, now: Date): KeyObject {
  const { x5c, jwk, kid, alg } = header;
  if (x5c !== undefined && x5c.length > 0) return endOfChain(x5c, keys, now);
  if (jwk !== undefined) return ownKey(jwk, keys, now);
  const trusted = kid === undefined ? undefined : keys.find(kid);
  if (trusted === undefined) throw new Error("the token is signed by a key that is not trusted");
  if (trusted.algorithm !== undefined && trusted.algorithm !== alg) {
    throw new Error("the token is signed with an algorithm that the key is not for");
  }
  return trusted.key;
}

function endOfChain(x5c: readonly string[], { roots }: TokenKeys, now: Date): KeyObject {
  const chain = x5c.map((der) => new X509Certificate(Buffer.from(der, "base64")));
  const [signer] = chain;
  if (signer === undefined || !leadsTo(roots, chain, now)) {
    throw new Error("the token's certificate leads to none that is trusted");
  }
  return signer.publicKey;
}

/** A key that comes along is trusted because we know it, or because its certificate says whose it is. */
function ownKey(jwk: NonNullable<Header["jwk"]>, keys: TokenKeys, now: Date): KeyObject {
  if (jwk.kty === "oct" || "d" in jwk)
    throw new Error("the token shows a key that is no public one");
  const key = createPublicKey({ key: jwk, format: "jwk" });
  const [name = ""] = namesOf(key);
  if (jwk.x5c === undefined) {
    if (keys.find(name) === undefined) throw new Error("the token's key is not trusted");
    return key;
  }
  const certified = endOfChain(jwk.x5c, keys, now);
  if (!certified.equals(key)) throw new Error("the token's certificate is for another key");
  return certified;
}
