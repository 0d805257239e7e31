import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Call } from "../../base/call.ts";
import { hashOfFile } from "./file-hash.ts";
import {
  factsIn,
  isSignedBy,
  type MinisignKey,
  type MinisignSignature,
  parseMinisignKey,
  parseMinisignSignature,
} from "./minisign-format.ts";
import { type CheckSignature, type SignedContent, verifySigned } from "./signed-file.ts";
import type { SignatureKind, VerifyKey } from "./verifier.ts";
import { VerifyError } from "./verify-error.ts";

const prefix = "minisign:";
/** A signature of the old form is one of the whole content, which has to be in memory for it. */
const maximumLegacyBytes = 64 * 1024 * 1024;

/** `NAME.minisig`, by keys as `minisign -G` writes them, or in one line as `minisign:RWQ…`. */
export const minisign: SignatureKind = {
  name: "minisign",

  takes: (key) => keyIn(key) !== undefined,

  async open({ keys: written }) {
    const keys = written.flatMap((key) => keyIn(key) ?? []);
    if (keys.length === 0) return undefined;
    return (subject, call) => verifySigned(subject, [".minisig"], checkedBy(keys), call);
  },
};

function keyIn({ bytes }: VerifyKey): MinisignKey | undefined {
  const text = bytes.toString("utf8");
  return parseMinisignKey(text.startsWith(prefix) ? text.slice(prefix.length) : text);
}

function checkedBy(keys: readonly MinisignKey[]): CheckSignature {
  return async (content, { name, bytes }, call) => {
    const signature = parseMinisignSignature(bytes.toString("utf8"));
    if (signature === undefined) {
      throw new VerifyError("UNTRUSTED", `${name} is no signature of minisign`, {
        hint: `make it by minisign -Sm ${content.name}`,
      });
    }
    const key = keys.find(({ id }) => id === signature.keyId);
    if (key === undefined) {
      const trusted = keys.map(({ id }) => id).join(", ");
      const message = `${name} is signed by the key ${signature.keyId}, and trusted is ${trusted}`;
      throw new VerifyError("UNTRUSTED", message, {
        hint: "give the key by --verify-key if it is the publisher's new one",
      });
    }
    if (!isSignedBy(key, signature, await signedPart(content, signature, name, call))) {
      const message = `${name} is no signature of this ${content.name} by the key ${key.id}`;
      throw new VerifyError("MISMATCH", message, {
        hint: "find out who changed it; sign it again and release it under a new tag if it was you",
      });
    }
    const { signedAt, file } = factsIn(signature.trustedComment);
    if (file !== undefined && file !== content.name) {
      const message = `${name} was made for a file called ${file}, not ${content.name}`;
      throw new VerifyError("MISMATCH", message, { hint: "sign the file under its final name" });
    }
    return { by: `key ${key.id}`, ...(signedAt && { signedAt }) };
  };
}

async function signedPart(
  { bytes, file }: SignedContent,
  { isHashed }: MinisignSignature,
  name: string,
  call: Call,
): Promise<Buffer> {
  if (bytes) return isHashed ? createHash("blake2b512").update(bytes).digest() : bytes;
  if (isHashed) return hashOfFile(file.path, "blake2b512", call);
  if (file.sizeBytes <= maximumLegacyBytes) return readFile(file.path, { signal: call.signal });
  const message = `${name} is of the old form, which is not checked for more than ${maximumLegacyBytes} bytes`;
  throw new VerifyError("UNUSABLE", message, {
    hint: "sign with a minisign of 0.10 or newer, or sign the checksum file",
  });
}
