import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";

export interface FakeMinisigner {
  /** What is in the `.pub` file. */
  publicKey: string;
  /** The line of it that counts. */
  line: string;
  sign(content: string | Buffer, options?: SignOptions): string;
}

export interface SignOptions {
  isHashed?: boolean;
  comment?: string;
}

/** Signs as minisign does, which need not be there. */
export function fakeMinisigner(): FakeMinisigner {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const id = randomBytes(8);
  const x = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  const line = Buffer.concat([Buffer.from("Ed"), id, x]).toString("base64");
  return {
    line,
    publicKey: `untrusted comment: minisign public key\n${line}\n`,
    sign(content, { isHashed = true, comment = "timestamp:1767225600" } = {}) {
      const signed = isHashed
        ? createHash("blake2b512").update(content).digest()
        : Buffer.from(content);
      const signature = sign(undefined, signed, privateKey);
      const algorithm = Buffer.from(isHashed ? "ED" : "Ed");
      const body = Buffer.concat([algorithm, id, signature]).toString("base64");
      const all = Buffer.concat([signature, Buffer.from(comment)]);
      const global = sign(undefined, all, privateKey).toString("base64");
      return `untrusted comment: signature\n${body}\ntrusted comment: ${comment}\n${global}\n`;
    },
  };
}
