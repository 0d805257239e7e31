import type { Socket } from "node:net";

/** What is written to a socket, and how. */
export interface Written {
  parts: readonly Uint8Array[];
  /** Between the parts. */
  pauseMs: number;
  /** Whether more was promised than comes: the sending half is closed then. */
  breaksOff: boolean;
}

export interface RawAnswer {
  status: number;
  headers: Map<string, string>;
  body: Buffer;
}

const patienceMs = 30_000;

/** Writes to a socket of its own, and resolves to all that came back when the server closed it. */
export async function exchanged(dial: () => Socket, written: Written): Promise<Buffer> {
  const socket = dial();
  const received: Buffer[] = [];
  const closed = new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => {
      socket.destroy();
      reject(new Error(`the server left a connection open for ${patienceMs} ms`));
    }, patienceMs);
    socket.on("data", (chunk) => received.push(chunk));
    socket.on("error", () => {}); // a reset, after an answer to what it did not want to read
    socket.on("end", () => socket.end());
    socket.on("close", () => {
      clearTimeout(late);
      resolve();
    });
  });
  for (const part of written.parts) {
    socket.write(part);
    if (written.pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, written.pauseMs));
  }
  if (written.breaksOff) socket.end();
  await closed;
  return Buffer.concat(received);
}

/** The answers to requests with these methods, as far as they were received whole. */
export function answersIn(bytes: Buffer, methods: readonly string[]): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let rest = bytes;
  while (rest.length > 0) {
    const head = headOf(rest);
    if (head === undefined) break;
    rest = rest.subarray(head.length);
    if (head.status < 200) continue;
    const body = bodyOf(head, methods[answers.length] ?? "GET", rest);
    if (body === undefined) break;
    rest = rest.subarray(body.length);
    answers.push({ status: head.status, headers: head.headers, body });
  }
  return answers;
}

interface Head {
  status: number;
  headers: Map<string, string>;
  length: number;
}

function headOf(bytes: Buffer): Head | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(first) ?? [];
  if (status === undefined) throw new Error(`this is no answer: ${first.slice(0, 200)}`);
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return { status: Number(status), headers, length: end + 4 };
}

function bodyOf({ status, headers }: Head, method: string, rest: Buffer): Buffer | undefined {
  if (method === "HEAD" || status === 204 || status === 304) return Buffer.alloc(0);
  const end = "0\r\n\r\n";
  if (headers.get("transfer-encoding") === "chunked") {
    return rest.includes(end) ? rest.subarray(0, rest.indexOf(end) + end.length) : undefined;
  }
  const length = headers.get("content-length");
  // Only Node itself answers without either, to what is not HTTP, and closes.
  if (length === undefined) return rest;
  return Number(length) > rest.length ? undefined : rest.subarray(0, Number(length));
}
