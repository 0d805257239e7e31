import { open } from "node:fs/promises";
import { ArchiveError } from "./archive.ts";

export type Compression = "gzip" | "bzip2" | "xz" | "zstd";

/** What is inside a file, and how it is compressed. `name` is a single file's own. */
export type ArchiveKind =
  | { form: "tar"; compression: Compression | undefined }
  | { form: "zip" }
  | { form: "file"; compression: Compression | undefined; name: string };

const tarNames: [RegExp, Compression | undefined][] = [
  [/\.(tar\.gz|tgz)$/i, "gzip"],
  [/\.(tar\.bz2|tbz2?)$/i, "bzip2"],
  [/\.(tar\.xz|txz)$/i, "xz"],
  [/\.(tar\.zst|tzst)$/i, "zstd"],
  [/\.tar$/i, undefined],
];

const compressedNames: [RegExp, Compression][] = [
  [/\.gz$/i, "gzip"],
  [/\.bz2$/i, "bzip2"],
  [/\.xz$/i, "xz"],
  [/\.zst$/i, "zstd"],
];

/** Archives that would otherwise be taken for an executable. */
const foreign = /\.(7z|rar|lzh|cab|tar\.[a-z0-9]+)$/i;

/** What the file's name says it is. @throws {ArchiveError} `REFUSED` for archives of other kinds */
export function kindOf(name: string): ArchiveKind {
  if (/\.zip$/i.test(name)) return { form: "zip" };
  for (const [pattern, compression] of tarNames) {
    if (pattern.test(name)) return { form: "tar", compression };
  }
  if (foreign.test(name)) {
    throw new ArchiveError("REFUSED", "it is an archive of a kind that dewy does not unpack", {
      hint: "pack it as .tar.gz, .tar.zst, .tar.xz, .tar.bz2, .tar or .zip",
    });
  }
  for (const [pattern, compression] of compressedNames) {
    if (pattern.test(name)) return { form: "file", compression, name: name.replace(pattern, "") };
  }
  return { form: "file", compression: undefined, name };
}

/** How each begins: RFC 1952, the bzip2 and xz formats, RFC 8878, APPNOTE 4.3.7, 4.3.16, POSIX tar. */
const magics: [string, number, Buffer][] = [
  ["gzip", 0, Buffer.from([0x1f, 0x8b])],
  ["bzip2", 0, Buffer.from("BZh")],
  ["xz", 0, Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
  ["zstd", 0, Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ["zip", 0, Buffer.from("PK\x03\x04")],
  ["zip", 0, Buffer.from("PK\x05\x06")],
  ["tar", 257, Buffer.from("ustar")],
];

/**
 * Confirms from the first bytes of `path` that it is the `kind` its name says. A tar from before
 * POSIX has no magic and is left to its header's checksum.
 *
 * @throws {ArchiveError} `DAMAGED`
 */
export async function confirmKind(path: string, kind: ArchiveKind): Promise<void> {
  const head = await readHead(path);
  if (head.length === 0) throw new ArchiveError("DAMAGED", "it is empty");
  const expected = expectedMagic(kind);
  const found = magicOf(head);
  if (expected === undefined || found === expected) return;
  if (expected === "tar" && found === undefined && head.length >= 512) return;
  throw new ArchiveError("DAMAGED", `its name says ${expected}, its content ${describe(head)}`, {
    hint: "give the artifact the name that its content has, and release it again",
  });
}

/** What `bytes` begin like, or `undefined` for nothing known. */
function magicOf(bytes: Uint8Array): string | undefined {
  const known = magics.find(([, offset, magic]) =>
    magic.equals(bytes.subarray(offset, offset + magic.length)),
  );
  return known?.[0];
}

function expectedMagic(kind: ArchiveKind): string | undefined {
  if (kind.form === "zip") return "zip";
  if (kind.form === "tar") return kind.compression ?? "tar";
  return kind.compression;
}

function describe(head: Buffer): string {
  const found = magicOf(head);
  if (found) return `says ${found}`;
  return /^\s*<(!doctype|html)/i.test(head.toString("latin1"))
    ? "is a web page"
    : "is something else";
}

async function readHead(path: string): Promise<Buffer> {
  const handle = await open(path, "r");
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(512), 0, 512, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
