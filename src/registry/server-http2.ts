import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { createServer, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";

export interface Http2Timeouts {
  idleConnectionMs: number;
  idleRequestMs: number;
  /** A client may say nothing for so long, not even that it hears us. */
  silenceMs: number;
}

/** HTTP/2 for the connections of another server that chose it (RFC 7301). */
export interface Http2 {
  speak(socket: Socket): void;
  sessions: ReadonlySet<ServerHttp2Session>;
  prependListener(listener: RequestListener): void;
}

/** How much of an upload may be on its way: what 10 Gbit/s bring in a few milliseconds. */
const streamWindowBytes = 1024 ** 2;
const connectionWindowBytes = 4 * 1024 ** 2;
const maximumStreams = 128;

/**
 * Not `http2.createSecureServer({ allowHTTP1 })`: its half of HTTP/1.1 cannot be closed connection by
 * connection on all versions of Node that we run on (nodejs/node#51493), and has other time limits.
 */
export function openHttp2({ idleConnectionMs, idleRequestMs, silenceMs }: Http2Timeouts): Http2 {
  const settings = { initialWindowSize: streamWindowBytes, maxConcurrentStreams: maximumStreams };
  const server = createServer({ settings });
  server.on("checkContinue", (request, response) => server.emit("request", request, response));
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.setLocalWindowSize(connectionWindowBytes);
    endWhenIdle(session);
    endWhenSilent(session, silenceMs);
  });
  server.on("sessionError", () => {}); // the session is destroyed, and with it all that is on it

  return {
    speak: (socket) => server.emit("connection", socket),
    sessions,
    prependListener(listener) {
      // The compatibility API differs where `api/http2-request.ts` says.
      server.prependListener("request", (request, response) =>
        listener(
          request as unknown as IncomingMessage,
          response as unknown as ServerResponse<IncomingMessage>,
        ),
      );
    },
  };

  function endWhenIdle(session: ServerHttp2Session): void {
    let streams = 0;
    session.on("stream", (stream) => {
      streams++;
      session.setTimeout(idleRequestMs);
      stream.once("close", () => {
        streams--;
        if (streams === 0 && !session.destroyed) session.setTimeout(idleConnectionMs);
      });
    });
    session.setTimeout(idleConnectionMs, () => {
      if (streams === 0) session.close();
      else session.destroy();
    });
  }
}

const looks = 4;

/**
 * Node neither closes a connection on which it has found an error of HTTP/2 nor reads on, so that it
 * would not hear either that its client is gone. Whoever is there answers a ping.
 */
function endWhenSilent(session: ServerHttp2Session, silenceMs: number): void {
  let received = 0;
  let silent = 0;
  const timer = setInterval(() => {
    if (session.destroyed) return; // it has no socket any more
    const { bytesRead } = session.socket;
    const isSilent = bytesRead === received;
    received = bytesRead;
    silent = isSilent ? silent + 1 : 0;
    if (silent > looks) session.destroy();
    else if (isSilent) session.ping(() => {});
  }, silenceMs / looks).unref();
  session.once("close", () => clearInterval(timer));
}
