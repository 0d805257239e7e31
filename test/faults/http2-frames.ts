/** Frames of HTTP/2 by hand, since a client would refuse to send what is wrong (RFC 9113, section 6). */
export const kind = {
  ...{ data: 0, headers: 1, priority: 2, reset: 3, settings: 4, promise: 5 },
  ...{ ping: 6, goAway: 7, window: 8, continuation: 9 },
} as const;
export const flag = { endStream: 1, acknowledged: 1, endHeaders: 4, padded: 8, priority: 32 };
export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
export const cancel = Buffer.of(0, 0, 0, 8);

export interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

/** RFC 9113, section 4.1. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const start = Buffer.alloc(9);
  start.writeUIntBE(payload.length, 0, 3);
  start[3] = type;
  start[4] = flags;
  start.writeUInt32BE(stream, 5);
  return Buffer.concat([start, payload]);
}

/** All frames that came whole. */
export function framesIn(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + 9 <= bytes.length; ) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    const [type = 0, flags = 0] = bytes.subarray(at + 3, at + 5);
    const stream = bytes.readUInt32BE(at + 5);
    frames.push({ type, flags, stream, payload: bytes.subarray(at + 9, end) });
    at = end;
  }
  return frames;
}

export function head(method: string, path: string): Buffer {
  const pseudo = { ":method": method, ":scheme": "https", ":authority": "a", ":path": path };
  return Buffer.concat(Object.entries(pseudo).map(([name, value]) => field(name, value)));
}

/** A field that is written out and not remembered (RFC 7541, section 6.2.2). */
export function field(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0), text(name), text(value)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  const size = bytes.length < 127 ? [bytes.length] : [127];
  if (bytes.length >= 127) {
    let rest = bytes.length - 127;
    for (; rest >= 128; rest >>= 7) size.push((rest & 127) | 128);
    size.push(rest);
  }
  return Buffer.concat([Buffer.from(size), bytes]);
}

const statusByIndex: Record<number, number> = {
  ...{ 8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500 },
};
/** Huffman's codes of the digits (RFC 7541, appendix B). */
const digitByCode: Record<string, string> = {
  ...{ "00000": "0", "00001": "1", "00010": "2", "011001": "3", "011010": "4" },
  ...{ "011011": "5", "011100": "6", "011101": "7", "011110": "8", "011111": "9" },
};

/** The status in the head of an answer; `undefined` where it is one that was remembered. */
export function statusIn(block: Buffer): number | undefined {
  let at = 0;
  while (((block[at] ?? 0) & 0xe0) === 0x20) at += sizeOfTableUpdate(block.subarray(at));
  const [first = 0, length = 0] = block.subarray(at, at + 2);
  if (first >= 0x80) return statusByIndex[first & 0x7f];
  if (![0x08, 0x18, 0x48].includes(first)) return undefined;
  const value = block.subarray(at + 2, at + 2 + (length & 0x7f));
  return Number(length < 0x80 ? value.toString("latin1") : digitsIn(value));
}

/** RFC 7541, section 6.3. */
function sizeOfTableUpdate(block: Buffer): number {
  if (block[0] !== 0x3f) return 1;
  return block.findIndex((byte, index) => index > 0 && byte < 0x80) + 1;
}

function digitsIn(value: Buffer): string {
  const bits = [...value].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  let digits = "";
  for (let at = 0; at < bits.length; ) {
    const size = [5, 6].find((size) => bits.slice(at, at + size) in digitByCode);
    if (size === undefined) break; // the padding
    digits += digitByCode[bits.slice(at, at + size)];
    at += size;
  }
  return digits;
}
