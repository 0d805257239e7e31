import type { Server } from "node:https";
import type { TLSSocket } from "node:tls";
import { systemCodeOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";

/** Whoever is turned away before a request has come is in no access log. */
export function logHandshakes(server: Server, logger: Logger): void {
  server.on("tlsClientError", (error, socket) => {
    const code = systemCodeOf(error);
    if (socket.authorizationError) logRefusal(socket, distrust(socket), logger);
    else if (code !== "ECONNRESET") logRefusal(socket, reasonOf(error, code), logger);
    // Otherwise it is a probe of a load balancer, or a client that has left.
  });
}

export function logStranger(socket: TLSSocket, logger: Logger): void {
  const isGiven = socket.getPeerX509Certificate() !== undefined;
  logRefusal(socket, isGiven ? distrust(socket) : "it has shown no certificate", logger);
}

function distrust({ authorizationError }: TLSSocket): string {
  return `its certificate is not trusted by http.tls.clientcas: ${authorizationError}`;
}

function logRefusal({ remoteAddress }: TLSSocket, reason: string, logger: Logger): void {
  logger.info("a TLS connection was refused", { address: remoteAddress, reason });
}

function reasonOf(error: Error & { reason?: unknown }, code: string | undefined): string {
  if (code === "ERR_SSL_HTTP_REQUEST") return "it speaks plain HTTP: have it use https://";
  return typeof error.reason === "string" ? error.reason : error.message;
}
