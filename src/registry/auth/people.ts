import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import type { Logger } from "../../base/logger.ts";
import { type AccessRule, accessRulesOf } from "./access-rules.ts";
import { type Accounts, accountsOf } from "./accounts.ts";
import { type HtpasswdOptions, openHtpasswd } from "./htpasswd.ts";
import { type LdapOptions, openLdap } from "./ldap.ts";
import { LoginLimit, type LoginLimitOptions } from "./login-limit.ts";
import { openRobots, type RobotOptions, robotPathsOf } from "./robots.ts";

/** The sections that say who the users are, and what belongs to them. */
export interface PeopleOptions {
  htpasswd?: HtpasswdOptions | undefined;
  ldap?: LdapOptions | undefined;
  robots?: RobotOptions | undefined;
  access?: readonly AccessRule[] | undefined;
  failedlogins: LoginLimitOptions;
}

export interface PeopleParts {
  clock: Clock;
  logger: Logger;
  environment: Environment;
}

/** The sections that people come from; each may stand beside the others. */
export const peopleSections = ["htpasswd", "ldap"] as const;

export function hasPeople(options: Pick<PeopleOptions, "htpasswd" | "ldap">): boolean {
  return peopleSections.some((section) => options[section] !== undefined);
}

/**
 * All who may log in. A user of the htpasswd file is that one, whoever else has the name: so somebody
 * can log in while a directory is down. Then come robots.
 *
 * @throws {AuthError} `UNAVAILABLE`
 */
export async function openPeople(
  options: PeopleOptions,
  parts: PeopleParts,
  call: Call,
): Promise<Accounts> {
  const { htpasswd, ldap, robots, access } = options;
  const limit = new LoginLimit(options.failedlogins, parts.clock);
  const all = { ...parts, limit, rules: access && accessRulesOf(access) };
  const opened: Accounts[] = [];
  try {
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
