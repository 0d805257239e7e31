/** One entry of a tar made by hand; `name` and `size` are written as they are, however wrong. */
export interface FakeTarEntry {
  name: string;
  type?: string;
  body?: string | Uint8Array;
  link?: string;
  mode?: number;
  mtime?: number;
  size?: number;
}

const tarEnd = Buffer.alloc(1024);

/** A tar of `entries`, with its end. */
export function tarOf(...entries: FakeTarEntry[]): Buffer {
  return Buffer.concat([...entries.map(entryBytes), tarEnd]);
}

/** Header and body, padded. Long names need an `L` entry before them. */
function entryBytes(entry: FakeTarEntry): Buffer {
  const { name, type = "0", body = "", link = "", mode = 0o644, mtime = 1_700_000_000 } = entry;
  const bytes = Buffer.from(body);
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write(`${mode.toString(8).padStart(7, "0")}\0`, 100);
  header.write("0000000\x000000000\0", 108);
  header.write(`${(entry.size ?? bytes.length).toString(8).padStart(11, "0")}\0`, 124);
  header.write(`${mtime.toString(8).padStart(11, "0")}\0`, 136);
  header.write("        ", 148);
  header.write(type, 156, "latin1");
  header.write(link, 157, 100);
  header.write("ustar\x0000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([header, bytes, Buffer.alloc(-bytes.length & 511)]);
}

/** A pax header with one record for the entry that follows. */
export function paxEntry(key: string, value: string): FakeTarEntry {
  const rest = ` ${key}=${value}\n`;
  const length = [1, 2, 3, 4, 5].find((digits) => {
    return String(Buffer.byteLength(rest) + digits).length === digits;
  });
  return { name: "pax", type: "x", body: `${Buffer.byteLength(rest) + (length ?? 0)}${rest}` };
}
