import {
  createHash,
  createPublicKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
  type X509Certificate,
} from "node:crypto";
import * as v from "valibot";
import { messageOf } from "../../base/errors.ts";
import { readSettingsFile } from "../../base/settings-file.ts";
import { AuthError } from "./authenticator.ts";
import { certificatesIn } from "./certificate-chain.ts";

export interface TrustedKey {
  key: KeyObject;
  /** The only one it may be used with, where the set says so. */
  algorithm: string | undefined;
}

/** The keys that may sign tokens. */
export interface TokenKeys {
  roots: readonly X509Certificate[];
  /**
   * By the id that a set gives it, by its JWK thumbprint (RFC 7638) as in Distribution 3, or by its
   * libtrust fingerprint as in Distribution 2.
   */
  find(id: string): TrustedKey | undefined;
}

const KeySet = v.object({
  keys: v.array(
    v.looseObject({
      kty: v.string(),
      kid: v.optional(v.string()),
      alg: v.optional(v.string()),
      use: v.optional(v.string()),
    }),
  ),
});

export interface TokenKeyFiles {
  rootcertbundle: string | undefined;
  jwks: string | undefined;
}

/** @throws {AuthError} `UNAVAILABLE`, naming the file */
export async function readTokenKeys(files: TokenKeyFiles): Promise<TokenKeys> {
  const keys = new Map<string, TrustedKey>();
  const roots = await readAs(files.rootcertbundle, "certificates in PEM", (text) => {
    const certificates = certificatesIn(text);
    if (certificates.length === 0) throw new Error("there is no certificate in it");
    return certificates;
  });
  for (const { publicKey } of roots ?? []) {
    for (const id of namesOf(publicKey)) keys.set(id, { key: publicKey, algorithm: undefined });
  }
  const listed = await readAs(files.jwks, "a JSON Web Key Set", parseKeySet);
  for (const { id, ...trusted } of listed ?? []) {
    for (const name of namesOf(trusted.key)) keys.set(name, trusted);
    if (id !== undefined) keys.set(id, trusted);
  }
  return { roots: roots ?? [], find: (id) => keys.get(id) };
}

/** Both forms of the id that a public key has by itself; a shared secret has none. */
export function namesOf(key: KeyObject): string[] {
  return key.type === "public" ? [thumbprintOf(key), fingerprintOf(key)] : [];
}

/** RFC 7638, section 3: over the members a key cannot be without, in lexicographic order. */
function thumbprintOf(key: KeyObject): string {
  const jwk = key.export({ format: "jwk" });
  const needed = ["crv", "e", "kty", "n", "x", "y"] as const;
  const members = needed.flatMap((name) => (jwk[name] === undefined ? [] : [[name, jwk[name]]]));
  const text = JSON.stringify(Object.fromEntries(members));
  return createHash("sha256").update(text).digest("base64url");
}

/** libtrust: 240 bits of the SHA-256 of the public key's DER, in base32, in groups of four. */
function fingerprintOf(key: KeyObject): string {
  const der = key.export({ format: "der", type: "spki" });
  const bits = createHash("sha256").update(der).digest().subarray(0, 30);
  return base32(bits).match(/.{4}/g)?.join(":") ?? "";
}

function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  return bits.replace(/.{5}/g, (five) => letters[Number.parseInt(five, 2)] ?? "");
}

function parseKeySet(text: string): (TrustedKey & { id: string | undefined })[] {
  const result = v.safeParse(KeySet, parseJson(text));
  // Not valibot's own words: they quote what they do not like, which may be a key.
  if (!result.success) throw new Error("it is not a JSON Web Key Set");
  return result.output.keys.flatMap((jwk) => {
    if (jwk.use !== undefined && jwk.use !== "sig") return [];
    const { kid: id, alg: algorithm } = jwk;
    return [{ id, algorithm, key: keyOf(jwk) }];
  });
}

function keyOf(jwk: JsonWebKey): KeyObject {
  if (jwk.kty !== "oct") return createPublicKey({ key: jwk, format: "jwk" });
  return createSecretKey(Buffer.from(String(jwk.k ?? ""), "base64url"));
}

/** JSON.parse quotes what it could not read, which may be a key. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("it is not JSON");
  }
}

async function readAs<Content>(
  path: string | undefined,
  what: string,
  parse: (text: string) => Content,
): Promise<Content | undefined> {
  if (path === undefined) return undefined;
  try {
    return parse((await readSettingsFile(path)).toString());
  } catch (error) {
    const message = `the keys in ${path} cannot be used: ${messageOf(error)}`;
    const hint = `make it ${what}, readable for the registry`;
    throw new AuthError("UNAVAILABLE", message, { cause: error, hint });
  }
}
