import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import type { Environment } from "../../base/environment.ts";
import { ConfigError, messageOf, systemCodeOf } from "../../base/errors.ts";
import { Secret } from "../../base/secret.ts";
import { readSettingsFile } from "../../base/settings-file.ts";

/** @throws {ConfigError} */
export type ReadAppKey = () => Promise<KeyObject>;

/**
 * The key in `GITHUB_APP_PRIVATE_KEY`, else in the file that `GITHUB_APP_PRIVATE_KEY_PATH` names: PEM
 * of PKCS #1, as GitHub hands it out, or PKCS #8. In the variable `\n` may stand for a line end.
 */
export function openAppKey(environment: Environment): ReadAppKey {
  const { GITHUB_APP_PRIVATE_KEY: text, GITHUB_APP_PRIVATE_KEY_PATH: path = "" } = environment;
  if (text) return async () => keyIn(text.replaceAll("\\n", "\n"), "GITHUB_APP_PRIVATE_KEY");
  const variable = "GITHUB_APP_PRIVATE_KEY_PATH";
  return async () => {
    const pem = await readSettingsFile(path).catch((cause) => {
      throw new ConfigError(
        `${variable}: cannot read ${path} (${systemCodeOf(cause) ?? messageOf(cause)})`,
        {
          cause,
          hint: "name the .pem file with the App's private key, readable by this user",
        },
      );
    });
    return keyIn(pem.toString(), `${variable}: ${path}`);
  };
}

function keyIn(pem: string, where: string): KeyObject {
  const key = parsedKey(pem);
  if (key?.asymmetricKeyType === "rsa") return key;
  throw new ConfigError(`${where}: this is not an RSA private key in PEM`, {
    hint: "take the .pem file that GitHub made for the App, with its BEGIN and END lines and no password",
  });
}

function parsedKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined; // the reason would say more about OpenSSL than about the key
  }
}

/** Against clocks that differ: GitHub refuses what is not valid yet, and more than ten minutes. */
const backdatedSeconds = 60;
const lifeSeconds = 9 * 60;

/** A JSON Web Token by which GitHub knows the App (RFC 7519, RS256). */
export function appJwt(appId: string, key: KeyObject, now: Date): Secret {
  const seconds = Math.floor(now.getTime() / 1000);
  const claims = { iat: seconds - backdatedSeconds, exp: seconds + lifeSeconds, iss: appId };
  const signed = [{ alg: "RS256", typ: "JWT" }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return new Secret(`${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}`);
}
