import { ReadableStream } from "node:stream/web";
import type { Bytes } from "../../../base/bytes.ts";
import { ArchiveError } from "./archive.ts";

const mib = 1024 ** 2;

const zstdMagic = 0xfd2fb528;
/** What the zstd program allows without `--memory`. */
const largestZstdWindow = 128 * mib;
/** Small, so that little can come out before the next look at the limits: a block is 4 bytes to 128 KiB. */
const zstdPiece = 1024;
/** What bzip2 may hand out at once; the last of an honest archive is far below. */
const largestBurst = 512 * mib;

/** zstd by fzstd, which checks no checksums: a fallback for where there is nothing better. */
export async function* unzstd(source: Bytes): AsyncGenerator<Uint8Array> {
  const { Decompress } = await import("fzstd");
  const ready: Uint8Array[] = [];
  const decoder = new Decompress((chunk) => ready.push(chunk.slice()));
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of source) {
    if (head) head = Buffer.concat([head, chunk]);
    if (head && head.length < 18) continue;
    if (head) checkWindow(head);
    for (const piece of piecesOf(head ?? chunk, zstdPiece)) {
      decoder.push(piece);
      yield* ready.splice(0);
    }
    head = undefined;
  }
  decoder.push(head ?? new Uint8Array(0), true);
  yield* ready.splice(0);
}

/** fzstd allocates whatever window the first frame's header asks for (RFC 8878, 3.1.1.1). */
function checkWindow(frame: Buffer): void {
  if (frame.readUInt32LE(0) !== zstdMagic) throw new ArchiveError("DAMAGED", "it is not zstd");
  const descriptor = frame.readUInt8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const windowByte = frame.readUInt8(5);
  const base = 2 ** (10 + (windowByte >> 3));
  const contentOffset = 5 + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const window = singleSegment
    ? contentSize(frame, contentOffset, descriptor >> 6)
    : base + (base / 8) * (windowByte & 7);
  if (window <= largestZstdWindow) return;
  throw new ArchiveError("TOO_LARGE", `it needs ${window} bytes of memory to decompress`, {
    hint: "install the zstd program, or compress without --long and --ultra",
  });
}

function contentSize(frame: Buffer, offset: number, flag: number): number {
  if (flag === 0) return frame.readUInt8(offset);
  if (flag === 1) return frame.readUInt16LE(offset) + 256;
  return flag === 2 ? frame.readUInt32LE(offset) : Number(frame.readBigUInt64LE(offset));
}

/** xz by xz-decompress, which is xz-embedded: of the checks it knows CRC32 and CRC64. */
export async function* unxz(source: Bytes): AsyncGenerator<Uint8Array> {
  const { XzReadableStream } = (await import("xz-decompress")).default;
  type Input = ConstructorParameters<typeof XzReadableStream>[0];
  const input: unknown = ReadableStream.from(source);
  const output: unknown = new XzReadableStream(input as Input);
  yield* output as ReadableStream<Uint8Array>;
}

/** bzip2 by unbzip2-stream, which wants to be written to rather than asked. */
export async function* unbzip2(source: Bytes): AsyncGenerator<Uint8Array> {
  const { default: createDecoder } = await import("unbzip2-stream");
  const decoder = createDecoder();
  const ready: Uint8Array[] = [];
  let burst = 0;
  let failure: unknown;
  decoder.on("data", (chunk: Uint8Array) => {
    burst += chunk.length;
    if (burst > largestBurst) throw new ArchiveError("TOO_LARGE", "it expands as only bombs do");
    ready.push(chunk);
  });
  decoder.on("error", (error: unknown) => {
    failure ??= error;
  });
  const take = () => {
    if (failure) throw failure;
    burst = 0;
    return ready.splice(0);
  };
  for await (const chunk of source) {
    for (const piece of piecesOf(chunk, mib / 16)) {
      decoder.write(piece);
      yield* take();
    }
  }
  decoder.end();
  yield* take();
}

function* piecesOf(chunk: Uint8Array, size: number): Generator<Uint8Array> {
  for (let offset = 0; offset < chunk.length; offset += size) {
    yield chunk.subarray(offset, offset + size);
  }
}
