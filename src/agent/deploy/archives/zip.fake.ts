import { crc32, deflateRawSync } from "node:zlib";

/** One entry of a zip made by hand. `mode` 0 leaves the host at DOS. */
export interface FakeZipEntry {
  name: string;
  body?: string | Uint8Array;
  mode?: number;
  deflate?: boolean;
  crc?: number;
  flags?: number;
  method?: number;
  /** The size it claims to expand to. */
  size?: number;
}

/** A zip of `entries` (APPNOTE 4.3.6). */
export function zipOf(...entries: FakeZipEntry[]): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const { local, central } = recordsOf(entry, offset);
    locals.push(local);
    centrals.push(central);
    offset += local.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

function recordsOf(entry: FakeZipEntry, offset: number): { local: Buffer; central: Buffer } {
  const { name, mode = 0o100644, deflate = false, flags = 0x800 } = entry;
  const bytes = Buffer.from(entry.body ?? "");
  const packed = deflate ? deflateRawSync(bytes) : bytes;
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(flags, 2);
  common.writeUInt16LE(entry.method ?? (deflate ? 8 : 0), 4);
  common.writeUInt16LE((2 << 5) | 1, 8);
  common.writeUInt32LE(entry.crc ?? crc32(bytes), 10);
  common.writeUInt32LE(packed.length, 14);
  common.writeUInt32LE(entry.size ?? bytes.length, 18);
  common.writeUInt16LE(Buffer.byteLength(name), 22);
  const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, Buffer.from(name), packed]);
  const tail = Buffer.alloc(14);
  tail.writeUInt32LE((mode << 16) >>> 0, 6);
  tail.writeUInt32LE(offset, 10);
  const madeBy = Buffer.from([20, mode === 0 ? 0 : 3]);
  const signature = Buffer.from("PK\x01\x02");
  const central = Buffer.concat([signature, madeBy, common, tail, Buffer.from(name)]);
  return { local, central };
}
