import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A request that went by; of HTTP/2 only that it did. */
export interface Sighting {
  method: string;
  path: string;
  status: number;
  atMs: number;
}

/** Stands before a server, and counts what goes through: bytes of TCP, and requests. */
export interface Meter {
  port: number;
  /** Since the last `reset`. */
  reading(): { sightings: readonly Sighting[]; sentBytes: number; receivedBytes: number };
  reset(): void;
  close(): Promise<void>;
}

export async function openMeter(upstreamPort: number): Promise<Meter> {
  const sockets = new Set<Socket>();
  let sightings: Sighting[] = [];
  let sentBytes = 0;
  let receivedBytes = 0;
  const server = createServer((client) => {
    const upstream = connect(upstreamPort, "127.0.0.1");
    const watch = watchExchanges((sighting) => sightings.push(sighting));
    client.on("data", (chunk: Buffer) => {
      sentBytes += chunk.length;
      watch.sent(chunk);
    });
    upstream.on("data", (chunk: Buffer) => {
      receivedBytes += chunk.length;
      watch.received(chunk);
    });
    client.pipe(upstream).pipe(client);
    endTogether(client, upstream, sockets);
    endTogether(upstream, client, sockets);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");

  return {
    port: (server.address() as AddressInfo).port,
    reading: () => ({ sightings, sentBytes, receivedBytes }),
    reset() {
      sightings = [];
      sentBytes = 0;
      receivedBytes = 0;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function endTogether(socket: Socket, other: Socket, open: Set<Socket>): void {
  open.add(socket);
  socket.on("error", () => other.destroy());
  socket.on("close", () => {
    open.delete(socket);
    other.destroy();
  });
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/**
 * One connection. Our clients and the peers send a request when the last one was answered, so a chunk
 * that begins like a head is one.
 */
function watchExchanges(seen: (sighting: Sighting) => void) {
  const asked: { method: string; path: string }[] = [];
  let streams: ((chunk: Buffer) => number) | undefined;

  return {
    sent(chunk: Buffer): void {
      const text = chunk.toString("latin1", 0, 8192);
      const isHttp2 = text.startsWith(preface);
      if (isHttp2) streams = openedStreams();
      if (streams) {
        const count = streams(isHttp2 ? chunk.subarray(preface.length) : chunk);
        for (let left = count; left > 0; left--) see({ method: "POST", path: "" }, 200);
        return;
      }
      const [, method, path] = /^([A-Z]+) (\S+) HTTP\/1\.1\r\n/.exec(text) ?? [];
      if (method && path) asked.push({ method, path });
    },

    received(chunk: Buffer): void {
      const status = /^HTTP\/1\.1 (\d{3})/.exec(chunk.toString("latin1", 0, 16))?.[1];
      const request = status && asked.shift();
      if (request) see(request, Number(status));
    },
  };

  function see(request: { method: string; path: string }, status: number): void {
    seen({ ...request, status, atMs: performance.now() });
  }
}

const frameHeadBytes = 9;
const headersFrame = 1;

/** How many streams a client opened, by its HEADERS frames (RFC 9113, 4.1 and 6.2). */
function openedStreams(): (chunk: Buffer) => number {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    let count = 0;
    while (rest.length >= frameHeadBytes) {
      const end = frameHeadBytes + rest.readUIntBE(0, 3);
      if (rest.length < end) break;
      if (rest[3] === headersFrame) count++;
      rest = rest.subarray(end);
    }
    return count;
  };
}
