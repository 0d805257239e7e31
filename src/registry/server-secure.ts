import { createServer, type Server } from "node:https";
import type { Socket } from "node:net";
import type { TlsOptions } from "node:tls";
import type { Logger } from "../base/logger.ts";
import type { Http } from "./config-http.ts";
import type { Tls } from "./config-tls.ts";
import { logHandshakes, logStranger } from "./server-handshakes.ts";
import { type Http2, type Http2Timeouts, openHttp2 } from "./server-http2.ts";
import type { ServerParts } from "./server-open.ts";
import {
  clientVerification,
  followCertificates,
  isWelcome,
  readCertificates,
  readContext,
} from "./server-tls.ts";

export interface TlsServerOptions {
  tls: Tls;
  http2: Http["http2"];
  how: TlsOptions;
}

/**
 * With the certificate of a file, or those that an authority issues.
 *
 * @throws {RegistryError} `INVALID_CERTIFICATE`
 * @throws {CertificateStoreError}
 */
export async function openTlsServer(
  { tls, http2, ...options }: TlsServerOptions,
  parts: ServerParts,
) {
  const ALPNProtocols = http2.disabled ? ["http/1.1"] : ["h2", "http/1.1"];
  const how = { ...options.how, ...clientVerification(tls), ALPNProtocols };
  if ("certificate" in tls) {
    const certificates = await readCertificates(tls);
    const server = createServer({ ...how, ...certificates.context });
    return { server, following: followCertificates(tls, { ...parts, server, certificates }) };
  }
  const context = await readContext(tls);
  const { certify, openNames } = await import("./acme/certified-server.ts");
  const names = openNames();
  const server = createServer({ ...how, ...context, SNICallback: names.choose });
  const contextOf = ({ key, cert }: { key: string; cert: string }) => ({ ...context, key, cert });
  const following = await certify(server, names, tls.letsencrypt, { ...parts, contextOf });
  return { server, following };
}

export interface ProtocolOptions extends Http2Timeouts {
  server: Server;
  tls: Tls;
  logger: Logger;
  /** Told of each connection that speaks HTTP/1.1. */
  speaksHttp1(socket: Socket): void;
}

/** Has every connection speak the protocol it has agreed on. */
export function speakBoth(options: ProtocolOptions): Http2 {
  const { server, tls, logger, speaksHttp1, ...timeouts } = options;
  const second = openHttp2(timeouts);
  logHandshakes(server, logger);
  const [speakHttp1] = server.rawListeners("secureConnection");
  server.removeAllListeners("secureConnection");
  server.on("secureConnection", (socket) => {
    if (!isWelcome(socket, tls)) {
      logStranger(socket, logger);
      socket.destroy();
    } else if (socket.alpnProtocol === "h2") second.speak(socket);
    else {
      speakHttp1?.call(server, socket);
      speaksHttp1(socket);
    }
  });
  return second;
}
