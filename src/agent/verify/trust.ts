import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { ConfigError, messageOf } from "../../base/errors.ts";
import { readSettingsFile } from "../../base/settings-file.ts";
import type { VerifyOptions, VerifyPolicy } from "./policy.ts";
import type { Trust, VerifyKey } from "./verifier.ts";

/** Larger than any keyring that is meant for one project, and than any trust root. */
const maximumBytes = 1024 * 1024;

/** Whom the options trust, with the files that they name. @throws {ConfigError} */
export async function readTrust(options: VerifyOptions): Promise<Trust> {
  const { keys = [], predicateType } = options;
  const read = await Promise.all(keys.map(readKey));
  return { keys: read, certificate: await readCertificate(options), predicateType };
}

/** Names a policy and those it trusts, so that another one is noticed. */
export function fingerprintOf(policy: VerifyPolicy, trust: Trust): string {
  const { keys, certificate, predicateType } = trust;
  const hash = createHash("sha256").update(policy);
  for (const bytes of keys.map((key) => key.bytes.toString("base64")).sort()) {
    hash.update(`\n${bytes}`);
  }
  if (certificate) {
    const { identity, issuer, trustRoot } = certificate;
    hash.update(JSON.stringify([identity, issuer, trustRoot.bytes.toString("base64")]));
  }
  if (predicateType !== undefined) hash.update(JSON.stringify({ predicateType }));
  return `${policy}:${hash.digest("hex").slice(0, 16)}`;
}

async function readKey(written: string): Promise<VerifyKey> {
  if (/^[a-z]+:[^/\\]/.test(written)) return { origin: written, bytes: Buffer.from(written) };
  return readSmall("--verify-key", written, "a public key");
}

async function readCertificate(options: VerifyOptions): Promise<Trust["certificate"]> {
  const { identity, issuer, trustRoot } = options;
  const given = { identity, issuer, "trust-root": trustRoot };
  const absent = Object.entries(given).filter(([, value]) => value === undefined);
  if (absent.length === 3) return undefined;
  if (identity === undefined || issuer === undefined || trustRoot === undefined) {
    const names = absent.map(([name]) => `--verify-${name}`).join(" and ");
    throw new ConfigError(`${names}: is missing, and a certificate cannot be trusted without`, {
      hint: "give --verify-identity, --verify-issuer and --verify-trust-root together",
    });
  }
  const root = await readSmall("--verify-trust-root", trustRoot, "a trust root");
  return { identity, issuer, trustRoot: root };
}

async function readSmall(option: string, written: string, what: string): Promise<VerifyKey> {
  const path = resolve(written);
  try {
    const bytes = await readSettingsFile(path);
    if (bytes.length > 0 && bytes.length <= maximumBytes) return { origin: path, bytes };
  } catch (cause) {
    throw new ConfigError(`${option}: ${path} cannot be read (${messageOf(cause)})`, {
      cause,
      hint: `name the file of ${what} that the agent may read`,
    });
  }
  throw new ConfigError(`${option}: ${path} is empty, or too large for ${what}`, {
    hint: `name the file of ${what}`,
  });
}
