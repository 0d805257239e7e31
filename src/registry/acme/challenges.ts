import type { Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";
import { createSecureContext, createServer, type SecureContext } from "node:tls";
import { longestHelloBytes, protocolsOffered } from "./client-hello.ts";

/** A private key and what is signed with it, as PEM. */
export interface KeyPair {
  key: string;
  cert: string;
}

export interface Challenges {
  /** Shows `pair` to whoever validates `host`, until what this returns is called. */
  offer(host: string, pair: KeyPair): () => void;
}

const protocol = "acme-tls/1";
const handshakeTimeoutMs = 10_000;

/**
 * Answers the validation of RFC 8737 (tls-alpn-01) on the connections of `server`.
 *
 * OpenSSL chooses the certificate before it says which protocols the client offers, so they are
 * read from its first bytes here: only while a challenge is pending, and all others go on as ever.
 */
export function openChallenges(server: HttpsServer): Challenges {
  const contexts = new Map<string, SecureContext>();
  const validated = createServer({
    ALPNProtocols: [protocol],
    handshakeTimeout: handshakeTimeoutMs,
    SNICallback: (name, choose) => {
      const context = contexts.get(name.toLowerCase());
      choose(context ? null : new Error("nobody is to be validated by this name"), context);
    },
  });
  validated.on("secureConnection", (socket) => {
    socket.on("error", () => {}).end(); // the certificate was the answer
  });
  validated.on("tlsClientError", (_error, socket) => socket.destroy());
  const [speakTls] = server.rawListeners("connection");
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    if (contexts.size === 0) speakTls?.call(server, socket);
    else whenOffered(socket, sort);
  });

  return {
    offer(host, { key, cert }) {
      contexts.set(host, createSecureContext({ key, cert }));
      return () => contexts.delete(host);
    },
  };

  function sort(socket: Socket, protocols: readonly string[]): void {
    if (protocols.includes(protocol)) validated.emit("connection", socket);
    else speakTls?.call(server, socket);
  }
}

/** Looks at what the client says first, and leaves it there to be read. */
function whenOffered(
  socket: Socket,
  found: (socket: Socket, protocols: readonly string[]) => void,
): void {
  let seen = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), handshakeTimeoutMs);
  const ignore = () => {};
  const end = () => socket.destroy();
  socket.on("error", ignore).on("readable", look).once("end", end);
  socket.once("close", () => clearTimeout(timer));

  function look(): void {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    seen = Buffer.concat([seen, chunk]);
    const protocols = protocolsOffered(seen) ?? (seen.length > longestHelloBytes ? [] : undefined);
    if (protocols === undefined) return;
    clearTimeout(timer);
    socket.off("error", ignore).off("readable", look).off("end", end);
    socket.unshift(seen);
    found(socket, protocols);
  }
}
