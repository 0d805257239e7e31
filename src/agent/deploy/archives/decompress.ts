import { createReadStream } from "node:fs";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import type { Bytes } from "../../../base/bytes.ts";
import type { Call } from "../../../base/call.ts";
import { messageOf, systemCodeOf } from "../../../base/errors.ts";
import { ArchiveError } from "./archive.ts";
import { findProgram, runDecoder } from "./decoder-program.ts";
import type { Compression } from "./kind.ts";

/** The programs to decompress with, by name; `undefined` where a library has to do. */
export type FindProgram = (name: string) => Promise<string | undefined>;

const programs = {
  bzip2: { name: "bzip2", args: ["-dc"] },
  // The largest preset needs 65 MiB; without a limit a hostile header may ask for 4 GiB.
  xz: { name: "xz", args: ["-dc", "--memlimit-decompress=512MiB"] },
  zstd: { name: "zstd", args: ["-dc"] },
} as const;

/**
 * The bytes of the file at `path`, decompressed as they are read.
 *
 * gzip is Node's. The others are left to the system's programs, which are faster than any library
 * in JavaScript and run beside us, and to a library where there is no such program. Not to Node's own
 * zstd: up to 24 at least it ends after the first frame, and drops the others without a word.
 *
 * @throws {ArchiveError} `DAMAGED`
 */
export async function* decompressed(
  path: string,
  compression: Compression | undefined,
  call: Call,
  find: FindProgram = findProgram,
): AsyncGenerator<Uint8Array> {
  try {
    yield* await bytesOf(path, compression, call, find);
  } catch (error) {
    if (call.signal.aborted || error instanceof ArchiveError || isOfSystem(error)) throw error;
    throw new ArchiveError("DAMAGED", `it is damaged or cut short (${messageOf(error)})`, {
      cause: error,
    });
  }
}

/** `EIO` from the disk or `EAGAIN` from a spawn say nothing about the archive, as `Z_DATA_ERROR` does. */
function isOfSystem(error: unknown): boolean {
  return /^E[A-Z0-9]+$/.test(systemCodeOf(error) ?? "");
}

async function bytesOf(
  path: string,
  compression: Compression | undefined,
  call: Call,
  find: FindProgram,
): Promise<Bytes> {
  if (compression === undefined) return createReadStream(path, { signal: call.signal });
  if (compression === "gzip") return through(path, createGunzip(), call);
  const { name, args } = programs[compression];
  const program = await find(name);
  if (program) return runDecoder(program, args, path, call);
  const source = createReadStream(path, { signal: call.signal });
  const { unbzip2, unxz, unzstd } = await import("./decoder-library.ts");
  return { bzip2: unbzip2, xz: unxz, zstd: unzstd }[compression](source);
}

function through(path: string, decoder: NodeJS.ReadWriteStream, { signal }: Call): Bytes {
  const output = pipeline(createReadStream(path, { signal }), decoder, () => {});
  return output as unknown as Bytes;
}
