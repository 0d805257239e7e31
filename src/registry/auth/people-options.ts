import type { AccessRule } from "./access-rules.ts";
import type { HtpasswdOptions } from "./htpasswd-options.ts";
import type { LdapOptions } from "./ldap-options.ts";
import type { LoginLimitOptions } from "./login-limit.ts";
import type { OidcOptions } from "./oidc-options.ts";
import type { RobotOptions } from "./robot-options.ts";

/** The sections that say who the users are, and what belongs to them. */
export interface PeopleOptions {
  htpasswd?: HtpasswdOptions | undefined;
  ldap?: LdapOptions | undefined;
  oidc?: OidcOptions | undefined;
  robots?: RobotOptions | undefined;
  access?: readonly AccessRule[] | undefined;
  failedlogins: LoginLimitOptions;
}

/** The sections that people come from; each may stand beside the others. */
export const peopleSections = ["htpasswd", "ldap", "oidc"] as const;

export function hasPeople(options: Pick<PeopleOptions, (typeof peopleSections)[number]>): boolean {
  return peopleSections.some((section) => options[section] !== undefined);
}
