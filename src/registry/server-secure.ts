import type { RequestListener } from "node:http";
import type { ServerHttp2Session } from "node:http2";
import { createServer, type Server } from "node:https";
import type { Socket } from "node:net";
import type { TlsOptions } from "node:tls";
import type { Http } from "./config-http.ts";
import type { Tls } from "./config-tls.ts";
import { type Http2Timeouts, openHttp2 } from "./server-http2.ts";
import type { ServerParts } from "./server-open.ts";
import {
  clientVerification,
  followCertificates,
  isWelcome,
  readCertificates,
  readContext,
} from "./server-tls.ts";

export interface SecureOptions {
  tls: Tls;
  http2: Http["http2"];
  how: TlsOptions;
  times: Http2Timeouts;
  /** Told of each connection that speaks HTTP/1.1. */
  expectRequest(socket: Socket): void;
}

export interface SecureServer {
  server: Server;
  /** The connections that speak HTTP/2. */
  sessions: ReadonlySet<ServerHttp2Session>;
  /** For the requests of HTTP/2. */
  prependListener(listener: RequestListener): void;
  /** Stops looking after the certificate. */
  release(): Promise<void>;
}

/**
 * @throws {RegistryError} `INVALID_CERTIFICATE`
 * @throws {CertificateStoreError}
 */
export async function openSecureServer(
  { tls, http2, how, times, expectRequest }: SecureOptions,
  parts: ServerParts,
): Promise<SecureServer> {
  const { server, following } = await openTls(tls, parts, {
    ...how,
    ...clientVerification(tls),
    ALPNProtocols: http2.disabled ? ["http/1.1"] : ["h2", "http/1.1"],
  });
  const second = openHttp2(times);
  const [speakHttp1] = server.rawListeners("secureConnection");
  server.removeAllListeners("secureConnection");
  server.on("secureConnection", (socket) => {
    if (!isWelcome(socket, tls)) socket.destroy();
    else if (socket.alpnProtocol === "h2") second.speak(socket);
    else {
      speakHttp1?.call(server, socket);
      expectRequest(socket);
    }
  });
  const { sessions, prependListener } = second;
  return { server, sessions, prependListener, release: following.stop };
}

/** With the certificate of a file, or those that an authority issues. */
async function openTls(tls: Tls, parts: ServerParts, how: TlsOptions) {
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
