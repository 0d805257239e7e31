const handshakeRecord = 22;
const clientHello = 1;
const protocolsExtension = 16;

/** More than this no client says before the server has spoken. */
export const longestHelloBytes = 5 + 16_384;

/**
 * The application protocols that a client offers in the first record of a connection (RFC 8446,
 * 4.1.2; RFC 7301): none for what is no such record, `undefined` while there is more of it to come.
 */
export function protocolsOffered(bytes: Buffer): string[] | undefined {
  if (bytes.length > 0 && bytes[0] !== handshakeRecord) return [];
  if (bytes.length < 5) return undefined;
  const end = 5 + bytes.readUInt16BE(3);
  if (bytes.length < end) return end > longestHelloBytes ? [] : undefined;
  try {
    return protocolsIn(bytes.subarray(5, end));
  } catch {
    return []; // it ends in the middle of something
  }
}

function protocolsIn(hello: Buffer): string[] {
  if (hello[0] !== clientHello) return [];
  const fixed = 4 + 2 + 32; // type and length, version, random
  const suites = after(hello, fixed, 1); // the identifier of a session
  const methods = after(hello, suites, 2);
  const extensions = after(hello, methods, 1);
  for (let at = extensions + 2; at < hello.length; at = after(hello, at + 2, 2)) {
    if (hello.readUInt16BE(at) === protocolsExtension) return namesAt(hello, at + 4);
  }
  return [];
}

/** Where what stands at `at`, behind a length of so many bytes, has ended. */
const after = (hello: Buffer, at: number, lengthBytes: number): number =>
  at + lengthBytes + hello.readUIntBE(at, lengthBytes);

function namesAt(hello: Buffer, at: number): string[] {
  const names: string[] = [];
  const end = after(hello, at, 2);
  for (let next = at + 2; next < end; next = after(hello, next, 1)) {
    names.push(hello.toString("latin1", next + 1, after(hello, next, 1)));
  }
  return names;
}
