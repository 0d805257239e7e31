import { createServer, type Server as HttpServer, type RequestListener } from "node:http";
import type { ServerHttp2Session } from "node:http2";
import type { Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import type { Logger } from "../base/logger.ts";
import { mostConnections } from "../base/open-files.ts";
import type { Http } from "./config-http.ts";
import { limitConnections } from "./server-connections.ts";
import { endStalled } from "./server-pace.ts";
import { partInOrder } from "./server-parting.ts";

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
  /** For the proxy on the way to a certificate authority. */
  environment: Environment;
  /** Told of each certificate that is taken into use: its file or host. */
  noted(certificate: string, validUntil: Date): void;
}

const silenceMs = 60_000;
const checkEveryMs = 5_000;

function optionsFor({ head, idle, stall }: Http["timeouts"]) {
  return {
    requestTimeout: 0, // an upload may take hours; one that stands still ends by `endStalled`
    headersTimeout: head,
    connectionsCheckingInterval: Math.min(checkEveryMs, head),
    keepAliveTimeout: idle,
    // Where nothing else ends the connections of machines that are gone, the kernel asks for them.
    ...{ keepAlive: stall === 0, keepAliveInitialDelay: silenceMs },
  };
}

/**
 * @throws {RegistryError} `INVALID_CERTIFICATE`
 * @throws {CertificateStoreError}
 */
export async function openServer(
  http: Pick<Http, "tls" | "http2" | "timeouts">,
  parts: ServerParts,
): Promise<RegistryServer> {
  const served = await openSpeaking(http, parts);
  endStalled(served, http.timeouts.stall);
  return served;
}

async function openSpeaking(
  { tls, http2, timeouts }: Pick<Http, "tls" | "http2" | "timeouts">,
  parts: ServerParts,
): Promise<RegistryServer> {
  const options = optionsFor(timeouts);
  if (tls === undefined) {
    const server = createServer(options);
    const { speaksHttp1, ...first } = common(server, timeouts, parts);
    server.on("connection", speaksHttp1);
    return { ...first, sessions: new Set(), release: async () => {} };
  }
  const { openTlsServer, speakBoth } = await import("./server-secure.ts");
  const how = { ...options, handshakeTimeout: timeouts.head };
  const { server, following } = await openTlsServer({ tls, http2, how }, parts);
  const { speaksHttp1, ...first } = common(server, timeouts, parts);
  const times = { idleConnectionMs: timeouts.idle, idleRequestMs: timeouts.stall, silenceMs };
  const second = speakBoth({ server, tls, speaksHttp1, logger: parts.logger, ...times });
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

function common(
  server: HttpServer | HttpsServer,
  { head, stall }: Http["timeouts"],
  parts: Pick<ServerParts, "clock" | "logger">,
) {
  server.setTimeout(stall);
  server.on("request", ({ socket }) => socket.setTimeout(stall));
  // Node would ask for the body before anybody has looked at who brings it.
  server.on("checkContinue", (request, response) => server.emit("request", request, response));
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  limitConnections({ server, sockets, most: mostConnections() }, parts);
  const parting = partInOrder(server, parts.clock);
  const speaksHttp1 = (socket: Socket) => {
    parting(socket);
    socket.setTimeout(head); // or Node gives one that says nothing the time of a request
  };
  const prependListener = (listener: RequestListener) => {
    server.prependListener("request", (request, response) => {
      // Behind the last answer nothing is served (RFC 9112, section 9.6).
      if (!request.socket.writableEnded) listener(request, response);
    });
  };
  return { server, sockets, prependListener, speaksHttp1 };
}
