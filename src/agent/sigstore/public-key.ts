import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { ConfigError } from "../../base/errors.ts";

/** A key whose signatures are trusted. */
export interface PublicKey {
  key: KeyObject;
  /** For people: the file, and the beginning of the key's SHA-256. */
  name: string;
}

const block = /-----BEGIN ([A-Z ]+)-----[\s\S]+?-----END \1-----/g;
const known = ["ec", "rsa", "ed25519"];

/** Whether a file holds keys in the form that cosign and OpenSSL write them. */
/** Not a key of OpenPGP, whose armour looks like it; a private one is for us to refuse. */
export const isPem = (text: string): boolean => /-----BEGIN (?!PGP PUBLIC)/.test(text);

/**
 * The keys in a PEM file: ECDSA, RSA and Ed25519, one or several, any of which may sign.
 *
 * @throws {ConfigError}
 */
export function publicKeysIn(text: string, place: string): PublicKey[] {
  const blocks = [...text.matchAll(block)];
  if (blocks.length === 0) {
    throw new ConfigError(`${place} holds no key in PEM`, {
      hint: "give the file that cosign wrote as cosign.pub",
    });
  }
  return blocks.map(([pem, label = ""]) => keyIn(pem, label, place));
}

function keyIn(pem: string, label: string, place: string): PublicKey {
  if (label.includes("PRIVATE")) {
    throw new ConfigError(`${place} holds a private key, which does not belong here`, {
      hint: "give the public key, such as cosign.pub",
    });
  }
  const key = label.endsWith("PUBLIC KEY") ? parsed(pem) : undefined;
  if (key === undefined) {
    throw new ConfigError(`${place} holds a ${label} that is no public key`, {
      hint: "give the file that cosign wrote as cosign.pub",
    });
  }
  if (!known.includes(key.asymmetricKeyType ?? "")) {
    throw new ConfigError(`${place}: keys of the kind ${key.asymmetricKeyType} sign nothing here`, {
      hint: "use an ECDSA, RSA or Ed25519 key",
    });
  }
  return { key, name: `${place} (${fingerprintOf(key)})` };
}

function parsed(pem: string): KeyObject | undefined {
  try {
    return createPublicKey(pem);
  } catch {
    return undefined;
  }
}

function fingerprintOf(key: KeyObject): string {
  const der = key.export({ type: "spki", format: "der" });
  return `SHA256:${createHash("sha256").update(der).digest("hex").slice(0, 16)}`;
}
