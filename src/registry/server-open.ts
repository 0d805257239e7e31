import { createServer, type Server as HttpServer, type RequestListener } from "node:http";
import type { ServerHttp2Session } from "node:http2";
import { createServer as createTlsServer, type Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Http } from "./config-http.ts";
import { openHttp2 } from "./server-http2.ts";
import {
  clientVerification,
  followCertificates,
  isWelcome,
  readCertificates,
} from "./server-tls.ts";

/** A server that is not listening yet, with all it speaks. */
export interface RegistryServer {
  server: HttpServer | HttpsServer;
  /** The connections that speak HTTP/2. */
  sessions: ReadonlySet<ServerHttp2Session>;
  /** Every connection, also those that have not said what they speak. */
  sockets: ReadonlySet<Socket>;
  /** Before all other listeners of requests, whatever they came by. */
  prependListener(listener: RequestListener): void;
  /** Stops looking after the certificate. */
  release(): Promise<void>;
}

export interface ServerParts {
  clock: Clock;
  logger: Logger;
}

/** A client may be silent this long within a request: a slow disk's commit takes less. */
export const idleRequestMs = 600_000;
export const idleConnectionMs = 75_000;
const headersTimeoutMs = 30_000;

const options = {
  requestTimeout: 0, // an upload may take hours; one that stands still ends by `idleRequestMs`
  headersTimeout: headersTimeoutMs,
  keepAliveTimeout: idleConnectionMs,
};

/** @throws {RegistryError} `INVALID_CERTIFICATE` */
export async function openServer(
  { tls, http2 }: Pick<Http, "tls" | "http2">,
  parts: ServerParts,
): Promise<RegistryServer> {
  if (tls === undefined) {
    const server = createServer(options);
    return { ...common(server), sessions: new Set(), release: async () => {} };
  }
  const certificates = await readCertificates(tls);
  const server = createTlsServer({
    ...options,
    ...certificates.context,
    ...clientVerification(tls),
    ALPNProtocols: http2.disabled ? ["http/1.1"] : ["h2", "http/1.1"],
    handshakeTimeout: headersTimeoutMs,
  });
  const second = openHttp2({ idleConnectionMs, idleRequestMs });
  const [speakHttp1] = server.rawListeners("secureConnection");
  server.removeAllListeners("secureConnection");
  server.on("secureConnection", (socket) => {
    if (!isWelcome(socket, tls)) socket.destroy();
    else if (socket.alpnProtocol === "h2") second.speak(socket);
    else speakHttp1?.call(server, socket);
  });
  const following = followCertificates(tls, { ...parts, server, certificates });
  const first = common(server);
  return {
    ...first,
    sessions: second.sessions,
    prependListener(listener) {
      first.prependListener(listener);
      second.prependListener(listener);
    },
    release: following.stop,
  };
}

function common(server: HttpServer | HttpsServer) {
  server.setTimeout(idleRequestMs);
  // Node would ask for the body before anybody has looked at who brings it.
  server.on("checkContinue", (request, response) => server.emit("request", request, response));
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const prependListener = (listener: RequestListener) => {
    server.prependListener("request", listener);
  };
  return { server, sockets, prependListener };
}
