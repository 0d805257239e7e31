import { type Server as HttpServer, type ServerResponse, STATUS_CODES } from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "../base/clock.ts";
import { systemCodeOf } from "../base/errors.ts";
import { untilSlow } from "./api/refused-body.ts";

/** What Node answers to a request that it cannot read; 400 to any other. */
const statusByCode: Record<string, number> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};
const lingerMs = 5_000;
/** Requests behind a last answer, which nobody answers: each is kept until the connection ends. */
const mostBehind = 100;

/**
 * Lets the last answer of a connection of HTTP/1 arrive. Node destroys the socket behind it; where the
 * client still sends, that is a reset, which overtakes the answer and those before it. So only our
 * half is closed, and what still comes is thrown away (RFC 9112, section 9.6).
 *
 * The result is told of each connection that speaks HTTP/1.
 */
export function partInOrder(
  server: HttpServer | HttpsServer,
  clock: Clock,
): (socket: Socket) => void {
  const answers = new WeakMap<Duplex, Set<ServerResponse>>();
  const refused = new WeakSet<Duplex>();
  server.on("request", (request, response) => {
    const open = answers.get(request.socket);
    if (open === undefined) return;
    open.add(response);
    response.once("close", () => open.delete(response));
    if (request.socket.writableEnded && open.size > mostBehind) request.socket.destroy();
  });
  server.on("clientError", (error, socket) => {
    if (refused.has(socket)) return; // the parser says so again for all that still comes
    refused.add(socket);
    const code = systemCodeOf(error) ?? "";
    const isSilent = code === "ERR_HTTP_REQUEST_TIMEOUT";
    void refuse(socket, statusByCode[code] ?? 400, { linger: !isSilent });
  });
  server.on("connect", (_request, socket) => {
    socket.on("error", () => {}).resume();
    void refuse(socket, 405, { linger: true });
  });

  return (socket) => {
    answers.set(socket, new Set());
    socket.destroySoon = () => void part(socket, clock); // what Node calls behind a last answer
  };

  /** Answers all that came whole before it says what it does not understand. */
  async function refuse(
    socket: Duplex,
    status: number,
    { linger }: { linger: boolean },
  ): Promise<void> {
    const open = [...(answers.get(socket) ?? [])];
    const broken = open.find(({ req }) => !req.complete);
    await Promise.all(open.filter((each) => each !== broken).map(closed));
    const speaksHttp1 = answers.has(socket);
    if (speaksHttp1 && socket.writable && !broken?.headersSent) {
      socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${end}`);
    }
    if (speaksHttp1 && linger && broken === undefined) (socket as Socket).destroySoon();
    else socket.destroy();
  }
}

const end = "Connection: close\r\nContent-Length: 0\r\n\r\n";

function closed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => response.once("close", resolve));
}

async function part(socket: Socket, clock: Clock): Promise<void> {
  const ended = new AbortController();
  socket.once("close", () => ended.abort());
  socket.end();
  await untilSlow(() => socket.bytesRead, { everyMs: lingerMs, ended, clock });
  socket.destroy();
}
