import { connect, type Socket } from "node:net";

export interface Sending {
  method?: "GET" | "HEAD" | "POST" | "PATCH" | "PUT";
  headers?: Readonly<Record<string, string>>;
  body?: readonly Uint8Array[];
  /** What the answer must be, or the measurement means nothing. */
  status: number;
}

export interface Answered {
  headers: ReadonlyMap<string, string>;
  /** The length of the body; its bytes are not kept. */
  length: number;
}

/** A kept connection that takes one request at a time. */
export interface Connection {
  exchange(target: string, sending: Sending): Promise<Answered>;
  close(): void;
}

interface Waiting {
  method: string;
  resolve(answer: { status: number } & Answered): void;
  reject(error: Error): void;
}

const head = Buffer.from("\r\n\r\n");

/**
 * Speaks as much HTTP/1.1 as registries answer with, and reads every body into one buffer: the client
 * shares the processors with the servers, and what it takes hides the difference between them.
 */
export async function openConnection(address: string): Promise<Connection> {
  const { hostname, port, host } = new URL(address);
  let waiting: Waiting | undefined;
  const failed = (error: Error) => waiting?.reject(error);
  const read = answerReader(() => waiting);
  const socket = await connected(Number(port), hostname, (bytes) => {
    try {
      read(bytes);
    } catch (error) {
      failed(error as Error);
    }
  });
  socket.on("error", failed);
  socket.on("close", () => failed(new Error(`${address} closed the connection`)));

  return {
    async exchange(target, { method = "GET", headers = {}, body = [], status }) {
      const length = body.reduce((sum, { length }) => sum + length, 0);
      const answer = await new Promise<{ status: number } & Answered>((resolve, reject) => {
        waiting = { method, resolve, reject };
        const fields = Object.entries({ host, ...headers, "content-length": length });
        const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
        socket.cork();
        socket.write(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`);
        for (const part of body) socket.write(part);
        socket.uncork();
      });
      waiting = undefined;
      if (answer.status === status) return answer;
      throw new Error(`${method} ${address}${target} was answered with ${answer.status}`);
    },
    close: () => socket.destroy(),
  };
}

function connected(port: number, host: string, read: (bytes: Buffer) => void): Promise<Socket> {
  const buffer = Buffer.allocUnsafeSlow(256 * 1024);
  return new Promise((resolve, reject) => {
    const callback = (length: number) => {
      read(buffer.subarray(0, length));
      return true;
    };
    const socket = connect({ port, host, noDelay: true, onread: { buffer, callback } }, () => {
      socket.off("error", reject);
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

/** Takes what comes in, and resolves who waits when an answer is whole. */
function answerReader(waiting: () => Waiting | undefined): (bytes: Buffer) => void {
  let begun: Buffer = Buffer.alloc(0);
  let answer: ({ status: number } & Answered) | undefined;
  let left = 0;
  return (bytes) => {
    let rest = bytes;
    if (answer === undefined) {
      begun = Buffer.concat([begun, bytes]);
      const end = begun.indexOf(head);
      if (end < 0) return;
      answer = answerIn(begun.toString("latin1", 0, end));
      rest = begun.subarray(end + head.length);
      begun = Buffer.alloc(0);
      left = waiting()?.method === "HEAD" ? 0 : answer.length;
    }
    left -= rest.length;
    if (left > 0) return;
    const whole = answer;
    answer = undefined;
    waiting()?.resolve(whole);
  };
}

function answerIn(text: string): { status: number } & Answered {
  const [first = "", ...lines] = text.split("\r\n");
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const isWithoutBody = first.startsWith("HTTP/1.1 204");
  const length = isWithoutBody ? 0 : Number(headers.get("content-length"));
  if (Number.isNaN(length)) throw new Error(`an answer without a length: ${first}`);
  return { status: Number(first.slice(9, 12)), headers, length };
}
