import { createHash, type Hash } from "node:crypto";
import { OciError } from "./error.ts";

const hexLength = { sha256: 64, sha512: 128 } as const;

export type DigestAlgorithm = keyof typeof hexLength;

/** `algorithm:hex`, as in the image specification ("Digests"); only ever made by this file. */
export type Digest = `${DigestAlgorithm}:${string}` & { readonly brand: "digest" };

/** @throws {OciError} `DIGEST_INVALID` */
export function parseDigest(text: string): Digest {
  if (!isDigest(text))
    throw new OciError("DIGEST_INVALID", `not a digest: ${text}`, { detail: text });
  return text;
}

export function isDigest(text: string): text is Digest {
  const [algorithm = "", hex = "", ...rest] = text.split(":");
  if (rest.length > 0 || !isDigestAlgorithm(algorithm)) return false;
  return hex.length === hexLength[algorithm] && /^[0-9a-f]+$/.test(hex);
}

export function isDigestAlgorithm(text: string): text is DigestAlgorithm {
  return Object.hasOwn(hexLength, text);
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.slice(0, 6) as DigestAlgorithm;
}

export function hexOf(digest: Digest): string {
  return digest.slice(7);
}

export function digestOf(
  bytes: Uint8Array | string,
  algorithm: DigestAlgorithm = "sha256",
): Digest {
  return endDigest(algorithm, createHash(algorithm).update(bytes));
}

/** Ends `hash`, which must have been created for `algorithm`. */
export function endDigest(algorithm: DigestAlgorithm, hash: Hash): Digest {
  return `${algorithm}:${hash.digest("hex")}` as Digest;
}
