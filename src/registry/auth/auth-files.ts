import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { silentLogger } from "../../base/logger.ts";
import type { Look } from "../config-mistake.ts";
import { checkPasswordFile } from "./htpasswd-file.ts";
import type { Auth } from "./index.ts";
import { checkLdap } from "./ldap.ts";
import { authoritiesFor } from "./options.ts";
import { pathsOfRobots } from "./people.ts";
import { readRobots } from "./robot-files.ts";
import { checkSigningKey } from "./signing-key.ts";
import { readTokenKeys } from "./token-keys.ts";

/** Of one file: more are mostly because it is another kind of file. */
const mostProblems = 3;

/** Looks into the files that `auth` names, as a start would, and changes none. */
export async function checkAuthFiles(
  { htpasswd, ldap, oidc = [], token, tokenserver, robots }: Auth,
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
      const shown = problems.slice(0, mostProblems);
      const more = problems.length - shown.length;
      return [
        ...shown.map(({ line, reason }) => `${htpasswd.path}:${line}: the line ${reason}`),
        ...(more > 0 ? [`${htpasswd.path}: ${more} more lines are like that`] : []),
      ];
    });
  }
  if (ldap) {
    await look("auth.ldap", async () => {
      await checkLdap(ldap, parts);
      return [];
    });
  }
  for (const { ca } of oidc) {
    await look("auth.oidc", async () => {
      await authoritiesFor("auth.oidc", ca, parts.environment);
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
