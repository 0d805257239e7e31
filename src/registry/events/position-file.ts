import { type FileHandle, open } from "node:fs/promises";
import * as v from "valibot";

/** Where the oldest line begins that has not been dealt with. */
export interface Position {
  segment: number;
  offset: number;
}

const Stored = v.object({ segment: v.number(), offset: v.number() });
const recordBytes = 64;

/**
 * Keeps a position in place, in one write of a fixed size: a killed process leaves the old one or
 * the new one. It is not synced: after a power failure some lines may be dealt with twice.
 */
export interface PositionFile {
  /** `undefined` when there is none that can be read. */
  read(): Promise<Position | undefined>;
  write(position: Position): Promise<void>;
  close(): Promise<void>;
}

export async function openPositionFile(path: string): Promise<PositionFile> {
  const handle = await openOrCreate(path);
  return {
    async read() {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(recordBytes), 0, recordBytes, 0);
      const result = v.safeParse(
        v.pipe(v.string(), v.parseJson(), Stored),
        text(buffer, bytesRead),
      );
      return result.success ? result.output : undefined;
    },
    async write({ segment, offset }) {
      const record = JSON.stringify({ segment, offset }).padEnd(recordBytes - 1);
      await handle.write(`${record}\n`, 0);
    },
    close: () => handle.close(),
  };
}

async function openOrCreate(path: string): Promise<FileHandle> {
  // Both in one call would empty it (`w+`), or write only to its end (`a+`).
  await (await open(path, "a", 0o600)).close();
  return await open(path, "r+");
}

const text = (buffer: Buffer, length: number): string => buffer.toString("utf8", 0, length);
