import { type FileHandle, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { systemCodeOf } from "../../base/errors.ts";

/** Lines in a file of their own, `00000001.jsonl`; the next one begins when it is full. */
export interface Segment {
  number: number;
  bytes: number;
  lines: number;
}

/** A full segment is deleted as a whole, so this is also what a queue takes when it is empty. */
export const fullSegmentBytes = 1024 * 1024;

const pattern = /^(\d{8,15})\.jsonl$/;
const chunkBytes = 64 * 1024;
const newline = 0x0a;

export function segmentPath(directory: string, number: number): string {
  return join(directory, `${String(number).padStart(8, "0")}.jsonl`);
}

/** The segments in `directory`, the oldest first. What follows the last newline was never whole. */
export async function readSegments(directory: string): Promise<Segment[]> {
  const numbers = (await readdir(directory))
    .map((name) => Number(pattern.exec(name)?.[1]))
    .filter((number) => Number.isSafeInteger(number))
    .sort((a, b) => a - b);
  const segments: Segment[] = [];
  for (const number of numbers) segments.push(await measured(directory, number));
  return segments;
}

async function measured(directory: string, number: number): Promise<Segment> {
  const segment = { number, bytes: 0, lines: 0 };
  for await (const end of lineEnds(segmentPath(directory, number))) {
    segment.lines++;
    segment.bytes = end;
  }
  return segment;
}

/** How many lines of a segment end at `before` or earlier. */
export async function countLines(directory: string, number: number, before: number) {
  let lines = 0;
  for await (const end of lineEnds(segmentPath(directory, number))) {
    if (end > before) break;
    lines++;
  }
  return lines;
}

/** Where each line ends: after its newline. */
async function* lineEnds(path: string): AsyncGenerator<number> {
  const handle = await open(path);
  try {
    let offset = 0;
    for await (const chunk of chunksOf(handle, 0)) {
      for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, at + 1)) {
        yield offset + at + 1;
      }
      offset += chunk.length;
    }
  } finally {
    await handle.close();
  }
}

/** The line that begins at `offset`, with its newline; `undefined` at the end of what is whole. */
export async function readLineAt(path: string, offset: number): Promise<Buffer | undefined> {
  const handle = await open(path).catch((error) => {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  });
  if (handle === undefined) return undefined;
  try {
    const parts: Buffer[] = [];
    for await (const chunk of chunksOf(handle, offset)) {
      const end = chunk.indexOf(newline);
      parts.push(end < 0 ? chunk : chunk.subarray(0, end + 1));
      if (end >= 0) return Buffer.concat(parts);
    }
    return undefined;
  } finally {
    await handle.close();
  }
}

async function* chunksOf(handle: FileHandle, from: number): AsyncGenerator<Buffer> {
  for (let offset = from; ; ) {
    const { bytesRead, buffer } = await handle.read(
      Buffer.alloc(chunkBytes),
      0,
      chunkBytes,
      offset,
    );
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    offset += bytesRead;
  }
}

export async function removeSegment(directory: string, { number }: Segment): Promise<void> {
  await rm(segmentPath(directory, number), { force: true });
}
