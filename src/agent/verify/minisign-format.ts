import { createPublicKey, type KeyObject, verify } from "node:crypto";

export interface MinisignKey {
  /** As minisign shows it: 16 upper-case hex digits. */
  id: string;
  key: KeyObject;
}

export interface MinisignSignature {
  /** Of the key that signed. */
  keyId: string;
  /** Whether BLAKE2b of the content was signed, and not the content itself. */
  isHashed: boolean;
  signature: Buffer;
  trustedComment: string;
  globalSignature: Buffer;
}

const keyBytes = 2 + 8 + 32;
const signatureBytes = 2 + 8 + 64;

/** What a `.pub` file, or the one line of it that counts, holds; `undefined` when it is none. */
export function parseMinisignKey(text: string): MinisignKey | undefined {
  const lines = linesOf(text).filter((line) => !line.startsWith("untrusted comment:"));
  const bytes = lines.length === 1 ? base64(lines[0]) : undefined;
  if (bytes?.length !== keyBytes || bytes.toString("latin1", 0, 2) !== "Ed") return undefined;
  const x = bytes.subarray(10).toString("base64url");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  return { id: idOf(bytes.subarray(2, 10)), key };
}

/** What a `.minisig` file holds; `undefined` when it is none. */
export function parseMinisignSignature(text: string): MinisignSignature | undefined {
  const [untrusted = "", body, comment = "", global, ...rest] = linesOf(text);
  const [bytes, globalSignature] = [base64(body), base64(global)];
  const isWhole = untrusted.startsWith("untrusted comment:") && rest.length === 0;
  const [, trustedComment] = /^trusted comment: (.*)$/.exec(comment) ?? [];
  if (!isWhole || trustedComment === undefined) return undefined;
  if (bytes?.length !== signatureBytes || globalSignature?.length !== 64) return undefined;
  const algorithm = bytes.toString("latin1", 0, 2);
  if (algorithm !== "Ed" && algorithm !== "ED") return undefined;
  return {
    keyId: idOf(bytes.subarray(2, 10)),
    isHashed: algorithm === "ED",
    signature: bytes.subarray(10),
    ...{ trustedComment, globalSignature },
  };
}

/** `content` is the BLAKE2b-512 of the content where the signature is a hashed one. */
export function isSignedBy(
  { key }: MinisignKey,
  { signature, trustedComment, globalSignature }: MinisignSignature,
  content: Buffer,
): boolean {
  const comment = Buffer.concat([signature, Buffer.from(trustedComment)]);
  return (
    verify(undefined, content, key, signature) && verify(undefined, comment, key, globalSignature)
  );
}

/** What minisign writes into a trusted comment unless it is told another: `timestamp:…	file:…`. */
export function factsIn(trustedComment: string): { signedAt?: Date; file?: string } {
  const fields = trustedComment.split("\t");
  const fieldOf = (name: string) =>
    fields.find((field) => field.startsWith(`${name}:`))?.slice(name.length + 1);
  const [seconds, file] = [fieldOf("timestamp"), fieldOf("file")];
  const signedAt = seconds && /^\d{1,12}$/.test(seconds) && new Date(Number(seconds) * 1000);
  return { ...(signedAt && { signedAt }), ...(file !== undefined && { file }) };
}

const linesOf = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.replace(/\r$/, ""))
    .filter((line) => line !== "");

function base64(text: string | undefined): Buffer | undefined {
  if (text === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(text.trim())) return undefined;
  return Buffer.from(text.trim(), "base64");
}

/** A number of 64 bits, the lowest byte first. */
const idOf = (bytes: Buffer): string =>
  bytes.readBigUInt64LE().toString(16).toUpperCase().padStart(16, "0");
