import { createWriteStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip, gzipSync } from "node:zlib";
import { packTar } from "modern-tar";

const blockBytes = 512;

/** As `dewy push` would be given it; named so that this host takes it. */
export function archivePath(directory: string, version: string): string {
  return join(directory, "builds", version, `app_${process.platform}_${process.arch}.tar.gz`);
}

/** A release with one small script, `app.sh`. */
export async function packScript(path: string, script: string): Promise<void> {
  const header = { name: "app.sh", size: script.length, mode: 0o755, type: "file" } as const;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, gzipSync(await packTar([{ header, body: script }])));
}

/**
 * A release with one file of `sizeBytes` that hardly compresses, so that as many bytes are fetched and
 * unpacked. Stored in gzip without compression: making it is not what is measured.
 */
export async function packLarge(path: string, sizeBytes: number, piece: Buffer): Promise<void> {
  const [head] = [await packTar([{ header: { name: "large", size: 0, type: "file" }, body: "" }])];
  const header = Buffer.from(head.subarray(0, blockBytes));
  header.write(`${sizeBytes.toString(8).padStart(11, "0")} `, 124, "latin1");
  header.fill(" ", 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  function* tar() {
    yield header;
    for (let left = sizeBytes; left > 0; left -= piece.length) yield piece.subarray(0, left);
    yield Buffer.alloc(2 * blockBytes);
  }
  await mkdir(dirname(path), { recursive: true });
  await pipeline(tar, createGzip({ level: 0 }), createWriteStream(path));
}
