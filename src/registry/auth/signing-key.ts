import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { createFileWhole } from "../../base/atomic-file.ts";
import type { Clock } from "../../base/clock.ts";
import { messageOf, systemCodeOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { checkMayWrite } from "../../base/may-write.ts";
import { readSettingsFile } from "../../base/settings-file.ts";
import { AuthError } from "./authenticator.ts";
import { type RereadFile, rereadFile } from "./reread-file.ts";
import { namesOf, type TokenKeys } from "./token-keys.ts";

/** What our own tokens are signed with: ECDSA on P-256. */
export interface SigningKey {
  privateKey: KeyObject;
  /** Its JWK thumbprint (RFC 7638). */
  id: string;
  /** Those that check what it has signed. */
  keys: TokenKeys;
}

const repair = "move it away, and the registry makes another; until then nobody gets a token";

/**
 * The key in the PEM file at `path`, read again when the file changes. Where there is none yet, one
 * is made that nobody but the registry's own user can read; of several registries that start at the
 * same time on the same file, all take the same.
 *
 * @throws {AuthError} `UNAVAILABLE`
 */
export async function openSigningKey(
  path: string,
  { clock, logger }: { clock: Clock; logger: Logger },
): Promise<RereadFile<SigningKey>> {
  await makeKey(path, logger);
  const file = rereadFile([path], () => readKey(path, logger), clock);
  await file.current();
  return file;
}

/** Reads the key, where there is one already. @throws {AuthError} `UNAVAILABLE` */
export async function checkSigningKey(path: string, logger: Logger): Promise<void> {
  try {
    if (!(await isThere(path))) return await checkMayWrite(dirname(path));
  } catch (error) {
    throw cannotBeMade(path, error);
  }
  await readKey(path, logger);
}

async function makeKey(path: string, logger: Logger): Promise<void> {
  try {
    if (await isThere(path)) return;
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const pem = privateKey.export({ format: "pem", type: "pkcs8" });
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    if (await createFileWhole(path, pem, { mode: 0o600 })) {
      logger.info("made a key that tokens are signed with", { path });
    }
  } catch (error) {
    throw cannotBeMade(path, error);
  }
}

function cannotBeMade(path: string, error: unknown): AuthError {
  const message = `the key ${path} is missing, and cannot be made: ${messageOf(error)}`;
  const hint = "name a place that the registry may write to in auth.tokenserver.key";
  return new AuthError("UNAVAILABLE", message, { cause: error, hint });
}

async function readKey(path: string, logger: Logger): Promise<SigningKey> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o007) !== 0) {
      const hint = `chmod 600 ${path}`;
      logger.warn("everybody on this machine can read the key that signs tokens", { path, hint });
    }
    return signingKeyOf((await readSettingsFile(path)).toString());
  } catch (error) {
    const message = `the key ${path} cannot be used: ${messageOf(error)}`;
    const isBarred = ["EACCES", "EPERM"].includes(systemCodeOf(error) ?? "");
    const hint = isBarred ? "make it readable for the user that the registry runs as" : repair;
    throw new AuthError("UNAVAILABLE", message, { cause: error, hint });
  }
}

function signingKeyOf(pem: string): SigningKey {
  const privateKey = privateKeyIn(pem);
  if (privateKey.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    throw new Error("it is not one for ECDSA on P-256");
  }
  const key = createPublicKey(privateKey);
  const [id = ""] = namesOf(key);
  const trusted = { key, algorithm: "ES256" };
  return {
    privateKey,
    id,
    keys: { roots: [], find: (name) => (name === id ? trusted : undefined) },
  };
}

/** OpenSSL's own words are of no help, and must not quote a key. */
function privateKeyIn(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new Error("it is not a private key in PEM");
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return false;
    throw error;
  }
}
