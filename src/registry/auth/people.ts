import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import type { Logger } from "../../base/logger.ts";
import { accessRulesOf } from "./access-rules.ts";
import { type Accounts, accountsOf } from "./accounts.ts";
import { openHtpasswd } from "./htpasswd.ts";
import type { HtpasswdOptions } from "./htpasswd-options.ts";
import { openLdap } from "./ldap.ts";
import { LoginLimit } from "./login-limit.ts";
import { openOidc } from "./oidc.ts";
import type { PeopleOptions } from "./people-options.ts";
import type { RobotOptions } from "./robot-options.ts";
import { openRobots, robotPathsOf } from "./robots.ts";

export interface PeopleParts {
  clock: Clock;
  logger: Logger;
  environment: Environment;
}

/**
 * All who may log in. A user of the htpasswd file is that one, whoever else has the name: so somebody
 * can log in while a directory is down. Then come robots. A token of a provider is nobody's password.
 *
 * @throws {AuthError} `UNAVAILABLE`
 */
export async function openPeople(
  options: PeopleOptions,
  parts: PeopleParts,
  call: Call,
): Promise<Accounts> {
  const { htpasswd, ldap, oidc = [], robots, access } = options;
  const limit = new LoginLimit(options.failedlogins, parts.clock);
  const rules = access && accessRulesOf(access);
  const all = { ...parts, limit, rules };
  const opened: Accounts[] = [];
  try {
    for (const provider of oidc) {
      opened.push(await openOidc(provider, { ...all, rules: rules ?? accessRulesOf([]) }));
    }
    const file = htpasswd && (await openHtpasswd(htpasswd, all, call));
    if (file) opened.push(file);
    const paths = pathsOfRobots(robots, htpasswd);
    const anonymousRules = (access ?? []).filter(({ anonymous }) => anonymous);
    if (paths) opened.push(await openRobots(paths, { ...all, anonymousRules }));
    const directory = ldap && (await openLdap(ldap, all));
    if (directory) opened.push(directory);
    return accountsOf(opened, directory ?? file);
  } catch (error) {
    for (const place of opened) await place.close();
    throw error;
  }
}

/** Nowhere, without a place that is named and a file that they could be beside. */
export function pathsOfRobots(
  robots: RobotOptions | undefined,
  htpasswd: HtpasswdOptions | undefined,
) {
  if (robots?.path === undefined && htpasswd === undefined) return undefined;
  return robotPathsOf(robots?.path, htpasswd?.path ?? "");
}
