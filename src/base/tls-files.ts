import { createSecureContext, type SecureContext } from "node:tls";
import type { Environment } from "./environment.ts";
import { ConfigError, messageOf, systemCodeOf } from "./errors.ts";
import { readSettingsFile } from "./settings-file.ts";

/** A file, and what it was named by: `--registry: ca`, or a variable. */
interface NamedFile {
  name: string;
  path: string;
}

/** PEM files: whom to trust, and with `cert` and `key` together, who we are. */
export interface TlsFiles {
  ca: NamedFile | undefined;
  cert: NamedFile | undefined;
  key: NamedFile | undefined;
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
 * Reads what a TLS connection needs. Without `ca` that is whom the system trusts (or `SSL_CERT_FILE`)
 * and `NODE_EXTRA_CA_CERTS`; on a system that has no such file, Node's own.
 *
 * @throws {ConfigError} for files that cannot be read or do not belong together; `where` begins it
 */
export async function readTlsFiles(
  files: TlsFiles,
  where: string,
  environment: Environment,
): Promise<SecureContext> {
  const ca = files.ca === undefined ? await trusted(environment) : await pem(files.ca);
  const cert = files.cert && (await pem(files.cert));
  const key = files.key && (await pem(files.key));
  try {
    return createSecureContext({ ca, cert, key });
  } catch (cause) {
    throw new ConfigError(`${where}: the certificates cannot be used (${messageOf(cause)})`, {
      cause,
      hint: "give ca, cert and key as PEM, and the key that belongs to cert, without a passphrase",
    });
  }
}

async function pem({ name, path }: NamedFile): Promise<Buffer> {
  const bytes = await readSettingsFile(path).catch((cause) => {
    const reason = systemCodeOf(cause) ?? messageOf(cause);
    throw new ConfigError(`${name}=${path} cannot be read (${reason})`, {
      cause,
      hint: "check the path, and that dewy may read the file",
    });
  });
  // OpenSSL takes a list of authorities without a single one in it for an empty list.
  if (bytes.includes("-----BEGIN ")) return bytes;
  throw new ConfigError(`${name}=${path} is not a PEM file`, {
    hint: "convert it by openssl, such as openssl x509 -in FILE -inform der -out FILE.pem",
  });
}

async function trusted({
  SSL_CERT_FILE,
  NODE_EXTRA_CA_CERTS,
}: Environment): Promise<Buffer[] | undefined> {
  const system = SSL_CERT_FILE
    ? await pem({ name: "SSL_CERT_FILE", path: SSL_CERT_FILE })
    : await firstReadable(systemRoots);
  if (system === undefined) return undefined;
  const extra = NODE_EXTRA_CA_CERTS && (await firstReadable([NODE_EXTRA_CA_CERTS]));
  return extra ? [system, extra] : [system];
}

async function firstReadable(paths: readonly string[]): Promise<Buffer | undefined> {
  for (const path of paths) {
    const bytes = await readSettingsFile(path).catch(() => undefined);
    if (bytes?.includes("-----BEGIN ")) return bytes;
  }
  return undefined;
}
