import type { Server as HttpsServer } from "node:https";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { openHttpClient } from "../../base/http-client.ts";
import type { Logger } from "../../base/logger.ts";
import { openCertificateAuthority } from "./certificate-authority.ts";
import { openCertificateStore } from "./certificate-store.ts";
import { type KeyPair, openChallenges } from "./challenges.ts";
import { keepCertificates } from "./kept-certificates.ts";
import type { LetsEncrypt } from "./letsencrypt-options.ts";

export interface CertifiedParts {
  /** A pair with all else that `http.tls` says. */
  contextOf(pair: KeyPair): SecureContextOptions;
  /** Told of each certificate that is taken into use. */
  noted(host: string, validUntil: Date): void;
  clock: Clock;
  logger: Logger;
  environment: Environment;
}

/** How a TLS server finds the certificate of the name a client asks for. */
export interface Names {
  choose(name: string, found: (error: Error | null, context?: SecureContext) => void): void;
  serve(name: string, context: SecureContextOptions): void;
}

/** Who asks for a name that is not served, or not yet, is let down during the handshake. */
export function openNames(): Names {
  const contexts = new Map<string, SecureContext>();
  return {
    choose(name, found) {
      const context = contexts.get(name.toLowerCase());
      found(context ? null : new Error(`there is no certificate for ${name}`), context);
    },
    serve: (name, context) => void contexts.set(name, createSecureContext(context)),
  };
}

/**
 * Serves certificates that are asked of a certificate authority, and renewed, from when `server`
 * listens. A client that names no host, such as a probe, is shown the first one there is.
 *
 * @throws {CertificateStoreError}
 */
export async function certify(
  server: HttpsServer,
  names: Names,
  options: LetsEncrypt,
  { contextOf, noted, clock, logger, environment }: CertifiedParts,
): Promise<{ stop(): Promise<void> }> {
  const { cachefile, directoryurl: directoryUrl, email, hosts } = options;
  const store = await openCertificateStore(cachefile);
  const http = openHttpClient({ userAgent: "dewy", environment });
  const { accountKey } = store;
  const challenges = openChallenges(server);
  const authority = openCertificateAuthority({
    ...{ directoryUrl, email, accountKey, challenges, http, clock },
  });
  let shownByDefault: string | undefined;
  const kept = await keepCertificates({
    ...{ hosts, store, authority, clock, logger },
    serve(host, certificate) {
      const context = contextOf(certificate);
      names.serve(host, context);
      shownByDefault ??= host;
      if (shownByDefault === host) server.setSecureContext(context);
      noted(host, certificate.validUntil);
    },
  });
  server.once("listening", () => kept.start());
  return {
    async stop() {
      await kept.stop();
      http.close();
    },
  };
}
