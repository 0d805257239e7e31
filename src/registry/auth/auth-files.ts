import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { silentLogger } from "../../base/logger.ts";
import type { Look } from "../config-mistake.ts";
import { checkPasswordFile } from "./htpasswd-file.ts";
import type { Auth } from "./index.ts";
import { checkLdap } from "./ldap.ts";
import { pathsOfRobots } from "./people.ts";
import { readRobots } from "./robot-files.ts";
import { checkSigningKey } from "./signing-key.ts";
import { readTokenKeys } from "./token-keys.ts";

/** Looks into the files that `auth` names, as a start would, and changes none. */
export async function checkAuthFiles(
  { htpasswd, ldap, token, tokenserver, robots }: Auth,
  parts: { clock: Clock; environment: Environment },
  look: Look,
): Promise<void> {
  if (token) {
    const { rootcertbundle, jwks } = token;
    await look("auth.token.rootcertbundle", () => keysIn({ rootcertbundle, jwks: undefined }));
    await look("auth.token.jwks", () => keysIn({ rootcertbundle: undefined, jwks }));
  }
  if (htpasswd) {
    await look("auth.htpasswd.path", async () => {
      const problems = await checkPasswordFile(htpasswd.path);
      return problems.map(({ line, reason }) => `${htpasswd.path}:${line}: the line ${reason}`);
    });
  }
  if (ldap) {
    await look("auth.ldap", async () => {
      await checkLdap(ldap, parts);
      return [];
    });
  }
  await look("auth.robots.path", async () => {
    const directory = pathsOfRobots(robots, htpasswd)?.directory;
    if (directory === undefined) return [];
    const { problems } = await readRobots(directory);
    return problems.map(({ file, reason }) => `${directory}/${file}: ${reason}`);
  });
  if (!tokenserver?.enabled) return;
  await look("auth.tokenserver.key", async () => {
    await checkSigningKey(tokenserver.key ?? `${htpasswd?.path}.token-key.pem`, silentLogger);
    return [];
  });
}

async function keysIn(files: Parameters<typeof readTokenKeys>[0]): Promise<readonly string[]> {
  await readTokenKeys(files);
  return [];
}
