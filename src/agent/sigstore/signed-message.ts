import { createHash, createVerify, type KeyObject, verify } from "node:crypto";
import { type Bytes, collect } from "../../base/bytes.ts";
import { SignatureRefusal } from "./signed-material.ts";

/** What a signature is over, ready to be compared with one. */
export interface SignedMessage {
  /** SHA-256. */
  digest: Buffer;
  /** May be asked once. */
  isSignedBy(key: KeyObject, signature: Uint8Array): boolean;
}

/** Ed25519 needs the whole message at once. */
const maximumWholeBytes = 64 * 1024 ** 2;

export function messageOf(bytes: Uint8Array): SignedMessage {
  return {
    digest: createHash("sha256").update(bytes).digest(),
    isSignedBy: (key, signature) =>
      isSigned(key, (algorithm) => verify(algorithm, bytes, key, signature)),
  };
}

/** Of a file, which is read once. */
export async function messageIn(bytes: Bytes): Promise<SignedMessage> {
  const hash = createHash("sha256");
  const verifier = createVerify("sha256");
  for await (const chunk of bytes) {
    hash.update(chunk);
    verifier.update(chunk);
  }
  return {
    digest: hash.digest(),
    isSignedBy(key, signature) {
      if (isEdwards(key)) {
        throw new SignatureRefusal("Ed25519 over a file is verified only where the key is given");
      }
      return isSigned(key, () => verifier.verify(key, signature));
    },
  };
}

/** As {@link messageIn}, for an Ed25519 key. @throws {BytesError} for a file that is too large */
export async function wholeMessageIn(bytes: Bytes): Promise<SignedMessage> {
  return messageOf(await collect(bytes, maximumWholeBytes));
}

export const isEdwards = (key: KeyObject): boolean => key.asymmetricKeyType === "ed25519";

/** OpenSSL throws for some signatures that are none. */
function isSigned(key: KeyObject, ask: (algorithm: string | null) => boolean): boolean {
  try {
    return ask(isEdwards(key) ? null : "sha256");
  } catch (error) {
    if (error instanceof SignatureRefusal) throw error;
    return false;
  }
}
