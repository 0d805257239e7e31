import type { Bytes } from "../../../base/bytes.ts";
import { refusal } from "./entry-path.ts";

const block = 512;
/** POSIX.1-2017 pax, "ustar Interchange Format", and GNU's long names. */
const known = new Set(["0", "\0", "1", "2", "3", "4", "5", "6", "7", "x", "g", "K", "L"]);

/**
 * Passes a tar stream on untouched, and refuses it at a header of a type that modern-tar does not
 * know: it takes those for plain files, so that a GNU sparse file would arrive without its holes,
 * and a volume label as a file.
 *
 * Only walks from header to header, by their sizes. Where it loses its way (a size in a pax record,
 * for files above 8 GiB) it stops looking; it never changes what is read.
 */
export async function* knownEntryTypes(source: Bytes): AsyncGenerator<Uint8Array> {
  let header = Buffer.alloc(0);
  let skip = 0;
  let lost = false;
  for await (const chunk of source) {
    let offset = 0;
    while (!lost && offset < chunk.length) {
      const skipped = Math.min(skip, chunk.length - offset);
      skip -= skipped;
      offset += skipped;
      const piece = chunk.subarray(offset, offset + block - header.length);
      header = Buffer.concat([header, piece]);
      offset += piece.length;
      if (header.length < block) continue;
      lost = !isHeader(header);
      if (!lost) skip = bodyBytes(header);
      header = Buffer.alloc(0);
    }
    yield chunk;
  }
}

/** Whether `header` is one; the end of the archive is not. @throws {ArchiveError} `REFUSED` */
function isHeader(header: Buffer): boolean {
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  if (sum !== octal(header, 148, 8)) return false;
  const type = header.toString("latin1", 156, 157);
  if (known.has(type)) return true;
  const name = header.toString("utf8", 0, 100).replace(/\0.*$/s, "");
  throw refusal(name, type === "S" ? "a sparse file, packed with --sparse" : `of type "${type}"`);
}

function bodyBytes(header: Buffer): number {
  if ("123456".includes(header.toString("latin1", 156, 157))) return 0;
  const size = header.readUInt8(124) & 0x80 ? base256(header) : octal(header, 124, 12);
  return Math.ceil(size / block) * block;
}

function octal(header: Buffer, offset: number, length: number): number {
  const digits = header.toString("latin1", offset, offset + length).match(/^ *([0-7]+)/);
  return Number.parseInt(digits?.[1] ?? "0", 8);
}

function base256(header: Buffer): number {
  return header.readUIntBE(130, 6);
}
