import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { chmod, stat } from "node:fs/promises";
import { join } from "node:path";
import { createFileWhole, writeFileWhole } from "../../base/atomic-file.ts";
import { DewyError, messageOf, systemCodeOf } from "../../base/errors.ts";
import { makeDirectory } from "../../base/make-directory.ts";
import { checkMayWrite } from "../../base/may-write.ts";
import { readSettingsFile } from "../../base/settings-file.ts";
import type { KeyPair } from "./challenges.ts";

/** A certificate of one host, the chain after it. */
export interface HostCertificate extends KeyPair {
  validFrom: Date;
  validUntil: Date;
}

/**
 * A directory of account and certificates, in the form of Go's `autocert`, which Distribution uses:
 * `acme_account+key`, and for each host a file with key and chain.
 */
export interface CertificateStore {
  /** The key of the account, made where there is none yet; as PEM. */
  accountKey(): Promise<string>;
  /**
   * `undefined` where there is none.
   *
   * @throws {CertificateStoreError} for one that is of no use
   */
  read(host: string): Promise<HostCertificate | undefined>;
  write(host: string, pair: KeyPair): Promise<void>;
}

export class CertificateStoreError extends DewyError<"UNUSABLE"> {}

const accountFile = "acme_account+key";
const privatePem = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+?-----END [A-Z ]*PRIVATE KEY-----\n?/;

/** @throws {CertificateStoreError} when the directory can be neither used nor made */
export async function openCertificateStore(directory: string): Promise<CertificateStore> {
  try {
    await makeDirectory(directory, 0o700);
    await checkMayWrite(directory);
  } catch (error) {
    throw await unusable(directory, error);
  }

  return {
    async accountKey() {
      const path = join(directory, accountFile);
      await createFileWhole(path, newKey(), { mode: 0o600 }); // which replaces none
      await chmod(path, 0o600);
      const text = (await readOwn(path))?.toString() ?? "";
      try {
        createPrivateKey(text);
        return text;
      } catch (cause) {
        const message = `the key of the account in ${path} cannot be used: ${messageOf(cause)}`;
        const hint = "move it away, and the registry makes another account";
        throw new CertificateStoreError("UNUSABLE", message, { cause, hint });
      }
    },

    async read(host) {
      const path = join(directory, host);
      const text = await readOwn(path);
      return text && certificateIn(text.toString(), host, `in ${path}`);
    },

    async write(host, { key, cert }) {
      await writeFileWhole(join(directory, host), `${key}${cert}`, { mode: 0o600 });
    },
  };
}

/** `undefined` where there is none. */
async function readOwn(path: string): Promise<Buffer | undefined> {
  try {
    return await readSettingsFile(path);
  } catch (cause) {
    if (systemCodeOf(cause) === "ENOENT") return undefined;
    const message = `http.tls.letsencrypt.cachefile: ${path} cannot be read: ${messageOf(cause)}`;
    const hint = "move it away, and the registry makes another";
    throw new CertificateStoreError("UNUSABLE", message, { cause, hint });
  }
}

/** Whether it could be opened: nothing is changed. @throws {CertificateStoreError} */
export async function checkCertificateStore(directory: string): Promise<void> {
  await checkMayWrite(directory).catch(async (error: unknown) => {
    throw await unusable(directory, error);
  });
}

/** ECDSA on P-256, in a form that `autocert` reads as well. */
export function newKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return String(privateKey.export({ format: "pem", type: "pkcs8" }));
}

async function unusable(directory: string, cause: unknown): Promise<CertificateStoreError> {
  const stats = await stat(directory).catch(() => undefined);
  const why = stats?.isFile() ? "it is a file" : messageOf(cause);
  return new CertificateStoreError(
    "UNUSABLE",
    `http.tls.letsencrypt.cachefile: ${directory} cannot be used: ${why}`,
    { cause, hint: "name a directory that the registry may write to" },
  );
}

/** @throws {CertificateStoreError} for a key and a chain that are of no use to `host` */
export function certificateIn(text: string, host: string, place: string): HostCertificate {
  try {
    const [key = ""] = privatePem.exec(text) ?? [];
    const cert = text.replace(privatePem, "");
    const certificate = new X509Certificate(cert);
    if (!certificate.checkPrivateKey(createPrivateKey(key)))
      throw new Error("the key is another's");
    if (certificate.checkHost(host) === undefined) throw new Error(`it is not for ${host}`);
    const [validFrom, validUntil] = [certificate.validFrom, certificate.validTo];
    return { key, cert, validFrom: new Date(validFrom), validUntil: new Date(validUntil) };
  } catch (cause) {
    const message = `the certificate ${place} cannot be used: ${messageOf(cause)}`;
    throw new CertificateStoreError("UNUSABLE", message, { cause });
  }
}
