import { createPrivateKey, X509Certificate } from "node:crypto";
import {
  createSecureContext,
  type SecureContextOptions,
  type Server,
  type TLSSocket,
  type TlsOptions,
} from "node:tls";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { readSettingsFile } from "../base/settings-file.ts";
import { type CipherSuite, cipherSuites, type FileTls, type Tls } from "./config-tls.ts";
import { stampOf } from "./file-stamp.ts";
import { RegistryError } from "./server-listen.ts";

/** What the files of `http.tls` held at one moment. */
export interface Certificates {
  stamp: string;
  context: SecureContextOptions;
  validUntil: Date;
}

export interface FollowParts {
  server: Pick<Server, "setSecureContext">;
  /** What the server has now. */
  certificates: Certificates;
  /** Told of each certificate that is taken into use. */
  noted(file: string, validUntil: Date): void;
  clock: Clock;
  logger: Logger;
}

const lookEveryMs = 2_000;

const modernSuites = Object.keys(cipherSuites).filter(
  (name) => !name.endsWith("_CBC_SHA"),
) as CipherSuite[];

/** @throws {RegistryError} `INVALID_CERTIFICATE`, naming the file, or the two that are no pair */
export async function readCertificates(tls: FileTls): Promise<Certificates> {
  const stamp = await stampOf([tls.certificate, tls.key, ...tls.clientcas]);
  const cert = await read("certificate", tls.certificate);
  const key = await read("key", tls.key);
  const context = { cert, key, ...(await readContext(tls)) };
  try {
    const certificate = new X509Certificate(cert);
    // Keys of different kinds OpenSSL would take, and then fail at each handshake.
    if (!certificate.checkPrivateKey(createPrivateKey(key))) {
      throw new Error("the key is not the certificate's");
    }
    createSecureContext(context);
    return { stamp, context, validUntil: new Date(certificate.validTo) };
  } catch (error) {
    const files = `${tls.certificate} and ${tls.key}`;
    const message = `http.tls: ${files} cannot be used: ${messageOf(error)}`;
    const hint = "give a certificate in PEM, its issuers after it, and the key that belongs to it";
    throw new RegistryError("INVALID_CERTIFICATE", message, { cause: error, hint });
  }
}

/** What `http.tls` says of connections, whatever the certificate. @throws {RegistryError} */
export async function readContext(tls: Tls): Promise<SecureContextOptions> {
  const ca = await Promise.all(tls.clientcas.map((path) => read("clientcas", path)));
  return {
    ...(ca.length === 0 ? {} : { ca }),
    minVersion: tls.minimumtls === "tls1.3" ? "TLSv1.3" : "TLSv1.2",
    ciphers: ciphersOf(tls.ciphersuites ?? modernSuites),
    honorCipherOrder: true,
  };
}

async function read(key: "certificate" | "key" | "clientcas", path: string): Promise<Buffer> {
  try {
    return await readSettingsFile(path);
  } catch (error) {
    const message = `http.tls.${key}: ${path} cannot be read: ${messageOf(error)}`;
    const hint = "name a file in PEM that the registry may read";
    throw new RegistryError("INVALID_CERTIFICATE", message, { cause: error, hint });
  }
}

/** As in Go, a list says nothing of TLS 1.3 unless one of its suites is in it. */
function ciphersOf(names: readonly CipherSuite[]): string {
  const isOfTls13 = (name: CipherSuite) => !name.includes("_WITH_");
  const suites = names.some(isOfTls13) ? names : [...modernSuites.filter(isOfTls13), ...names];
  return suites.map((name) => cipherSuites[name]).join(":");
}

/**
 * Serves new connections with what is in the files of `http.tls` from soon after they change. Files
 * that are no pair, as in the middle of a change, leave everything as it is.
 */
export function followCertificates(
  tls: FileTls,
  { server, certificates, noted, clock, logger }: FollowParts,
): { stop(): Promise<void> } {
  const ending = new AbortController();
  const files = [tls.certificate, tls.key, ...tls.clientcas];
  let seen = certificates.stamp;
  report(certificates, "TLS certificate is in use");
  const done = follow().catch(() => {}); // only ever the end of the sleep

  return {
    async stop() {
      ending.abort();
      await done;
    },
  };

  async function follow(): Promise<void> {
    for (;;) {
      await clock.sleep(lookEveryMs, ending);
      const stamp = await stampOf(files);
      if (stamp === seen) continue;
      seen = stamp;
      await renew();
    }
  }

  async function renew(): Promise<void> {
    try {
      const renewed = await readCertificates(tls);
      server.setSecureContext(renewed.context);
      seen = renewed.stamp;
      report(renewed, "TLS certificate was renewed");
    } catch (error) {
      logger.warn("the changed TLS certificate is not used", { error });
    }
  }

  function report({ validUntil }: Certificates, message: string): void {
    noted(tls.certificate, validUntil);
    const fields = { certificate: tls.certificate, validUntil: validUntil.toISOString() };
    if (validUntil > clock.now()) logger.info(message, fields);
    else logger.warn("TLS certificate has expired", fields);
  }
}

/** What clients are asked for at the handshake. */
export function clientVerification({ clientcas, clientauth }: Tls): TlsOptions {
  if (clientcas.length === 0) return {};
  const isStrict = (clientauth ?? "require-and-verify-client-cert").startsWith(
    "require-and-verify",
  );
  return { requestCert: true, rejectUnauthorized: isStrict };
}

/** Whether a client has shown what `clientauth` wants, as far as the handshake leaves it to us. */
export function isWelcome(
  socket: Pick<TLSSocket, "authorized" | "getPeerX509Certificate">,
  { clientcas, clientauth }: Pick<Tls, "clientcas" | "clientauth">,
): boolean {
  if (clientcas.length === 0) return true;
  const isGiven = socket.getPeerX509Certificate() !== undefined;
  switch (clientauth) {
    case "request-client-cert":
      return true;
    case "require-any-client-cert":
      return isGiven;
    case "verify-client-cert-if-given":
      return !isGiven || socket.authorized;
    default:
      return socket.authorized;
  }
}
