import { readFile } from "node:fs/promises";
import { createSecureContext, type SecureContext } from "node:tls";
import type { Environment } from "../../base/environment.ts";
import { ConfigError, messageOf, systemCodeOf } from "../../base/errors.ts";

/** Paths of PEM files. */
export interface GrpcTlsFiles {
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
}

/** Goes to `tls.connect`; the private key is in there and cannot be read back. */
export interface GrpcTls {
  options: { secureContext: SecureContext };
}

/** Where the systems we know keep the certificate authorities they trust, as Go's crypto/x509 looks. */
const systemRoots = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/**
 * Reads who is trusted and, with `cert` and `key`, who we are. Without `ca` that is whom the system
 * trusts (or `SSL_CERT_FILE`) and `NODE_EXTRA_CA_CERTS`; on a system that has no such file, Node's own.
 *
 * @throws {ConfigError} for files that cannot be read or do not belong together
 */
export async function readGrpcTls(files: GrpcTlsFiles, environment: Environment): Promise<GrpcTls> {
  if ((files.cert === undefined) !== (files.key === undefined)) {
    const [given, missing] = files.cert === undefined ? ["key", "cert"] : ["cert", "key"];
    throw new ConfigError(`--registry: there is a ${given}, and no ${missing} to it`, {
      hint: `add ${missing}=PATH, or leave ${given} out`,
    });
  }
  const ca = files.ca === undefined ? await trusted(environment) : await pem("ca", files.ca);
  const cert = files.cert === undefined ? undefined : await pem("cert", files.cert);
  const key = files.key === undefined ? undefined : await pem("key", files.key);
  try {
    return { options: { secureContext: createSecureContext({ ca, cert, key }) } };
  } catch (cause) {
    throw new ConfigError(`--registry: the certificates cannot be used (${messageOf(cause)})`, {
      cause,
      hint: "give ca, cert and key as PEM, and the key that belongs to cert, without a passphrase",
    });
  }
}

async function pem(option: string, path: string): Promise<Buffer> {
  const bytes = await readFile(path).catch((cause) => {
    const reason = systemCodeOf(cause) ?? messageOf(cause);
    throw new ConfigError(`--registry: ${option}=${path} cannot be read (${reason})`, {
      cause,
      hint: "check the path, and that dewy may read the file",
    });
  });
  // OpenSSL takes a list of authorities without a single one in it for an empty list.
  if (bytes.includes("-----BEGIN ")) return bytes;
  throw new ConfigError(`--registry: ${option}=${path} is not a PEM file`, {
    hint: "convert it by openssl, such as openssl x509 -in FILE -inform der -out FILE.pem",
  });
}

async function trusted({
  SSL_CERT_FILE,
  NODE_EXTRA_CA_CERTS,
}: Environment): Promise<Buffer[] | undefined> {
  const system = SSL_CERT_FILE
    ? await pem("SSL_CERT_FILE", SSL_CERT_FILE)
    : await firstReadable(systemRoots);
  if (system === undefined) return undefined;
  const extra = NODE_EXTRA_CA_CERTS && (await firstReadable([NODE_EXTRA_CA_CERTS]));
  return extra ? [system, extra] : [system];
}

async function firstReadable(paths: readonly string[]): Promise<Buffer | undefined> {
  for (const path of paths) {
    const bytes = await readFile(path).catch(() => undefined);
    if (bytes?.includes("-----BEGIN ")) return bytes;
  }
  return undefined;
}
