/** What a file of OpenPGP holds, in the binary form that every reader of it takes. */
export interface OpenPgpFile {
  kind: "public key" | "signature";
  bytes: Buffer;
}

const block =
  /-----BEGIN PGP (PUBLIC KEY BLOCK|SIGNATURE)-----\r?\n([\s\S]*?)-----END PGP \1-----/g;
/** The tags of the packets that come first (RFC 9580, 5): a key's, a signature's. */
const tags: Readonly<Record<number, OpenPgpFile["kind"]>> = { 6: "public key", 2: "signature" };

/** Reads an armoured or binary file; `undefined` where it is neither a key nor a signature. */
export function parseOpenPgp(file: Buffer): OpenPgpFile | undefined {
  const bytes = isBinary(file) ? file : dearmoured(file.toString("latin1"));
  const kind = bytes && tags[tagOf(bytes)];
  return bytes && kind && { kind, bytes };
}

/** A text with its signature around it, which says nothing about the file beside it. */
export const isClearSigned = (file: Buffer): boolean =>
  file.toString("latin1").includes("-----BEGIN PGP SIGNED MESSAGE-----");

/** Several blocks are one after another in the binary form too. */
function dearmoured(text: string): Buffer | undefined {
  const parts = [...text.matchAll(block)].map(([, , body = ""]) => decoded(body));
  return parts.length === 0 ? undefined : Buffer.concat(parts);
}

/** Behind headers and an empty line, base64 and a checksum, which nobody has to heed. */
function decoded(body: string): Buffer {
  const lines = body.split(/\r?\n/).map((line) => line.trim());
  const start = lines.indexOf("");
  const data = lines.slice(start + 1).filter((line) => !line.startsWith("="));
  return Buffer.from(data.join(""), "base64");
}

const isBinary = ([first = 0]: Buffer): boolean => first >= 0x80;

/** The old form of a packet has its tag in four bits, the new one in six. */
function tagOf([first = 0]: Buffer): number {
  if (first < 0x80) return -1;
  return first >= 0xc0 ? first & 0x3f : (first >> 2) & 0x0f;
}
