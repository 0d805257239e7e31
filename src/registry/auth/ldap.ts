import { orAborted } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { messageOf } from "../../base/errors.ts";
import { type Logger, silentLogger } from "../../base/logger.ts";
import { Secret } from "../../base/secret.ts";
import { readSettingsFile } from "../../base/settings-file.ts";
import { type Account, type Accounts, refused } from "./accounts.ts";
import { AuthError, unlimitedGrant } from "./authenticator.ts";
import type { AccountParts } from "./htpasswd.ts";
import { isLdapFilter } from "./ldap-connection.ts";
import {
  type DirectoryUser,
  type LdapDirectory,
  ldapCredential,
  ldapDirectoryOf,
} from "./ldap-directory.ts";
import type { LdapOptions } from "./ldap-options.ts";
import { ldapServersOf } from "./ldap-servers.ts";
import { authoritiesFor } from "./options.ts";
import { rememberedFor } from "./remembered.ts";
import { VerifiedCredentials } from "./verified-credentials.ts";

/** Whoever has left, or changed groups, is known by then. */
const userRememberedMs = 60_000;

/**
 * Users and groups of an LDAP directory. It need not be up now: as long as it is not, whoever comes
 * is told that it cannot be said who they are.
 *
 * @throws {AuthError} `UNAVAILABLE` when it could never be asked like this
 */
export async function openLdap(
  options: LdapOptions,
  { clock, logger, limit, rules, environment }: AccountParts & { environment: Environment },
): Promise<Accounts> {
  const directory = await directoryFor(options, { clock, logger, environment });
  const verified = new VerifiedCredentials(clock);
  const closing = new AbortController();
  // Of nobody's call: who asked first may go away while others wait for the same.
  const call = { signal: closing.signal };
  const users = rememberedFor(userRememberedMs, (name) => directory.find(name, call), clock);

  return {
    isFor: async ({ user }) => user !== "",

    async logIn({ user, password }, address, { signal }) {
      const typed = { address, user };
      limit.check(typed);
      const known = user === "" ? undefined : await orAborted(users.find(user), signal);
      // By its one name: else each spelling would be another guess.
      const attempt = { address, user: known?.name ?? user };
      limit.check(attempt);
      const trial = { user, password: password.reveal(), hash: known?.credential ?? "" };
      const checked = verified.isRight(trial, () =>
        limit.counted(attempt, () => directory.isRight(known, password, call)),
      );
      if ((await orAborted(checked, signal)) && known !== undefined) return accountOf(known);
      logger.warn("login failed", attempt);
      throw refused();
    },

    async find({ user, credential }, { signal }) {
      if (!credential.startsWith(ldapCredential)) return undefined;
      const known = await orAborted(users.find(user), signal);
      return known && accountOf(known);
    },

    close: async () => closing.abort(),
  };

  function accountOf({ name: user, groups, credential }: DirectoryUser): Account {
    return { user, grant: rules?.grantTo({ user, groups }) ?? unlimitedGrant(user), credential };
  }
}

/** Whether a directory could be asked, as far as its files and filters tell. @throws {AuthError} */
export async function checkLdap(
  options: LdapOptions,
  parts: { clock: Clock; environment: Environment },
): Promise<void> {
  await directoryFor(options, { ...parts, logger: silentLogger });
}

async function directoryFor(
  options: LdapOptions,
  parts: { clock: Clock; logger: Logger; environment: Environment },
): Promise<LdapDirectory> {
  const { ca, urls, starttls, timeout: timeoutMs } = options;
  for (const name of ["filter", "groupfilter"] as const) await checkFilter(name, options[name]);
  const secureContext = await authoritiesFor("auth.ldap", ca, parts.environment);
  const servers = urls.map((url) => ({ url, starttls, secureContext, timeoutMs }));
  const open = starttls ? [] : urls.filter((url) => url.startsWith("ldap:"));
  if (open.some((url) => !/^(?:localhost|127\.|\[::1\])/.test(new URL(url).hostname))) {
    const hint = "use ldaps://, or set auth.ldap.starttls";
    parts.logger.warn("passwords go to the directory unencrypted", { directories: open, hint });
  }
  const bindPassword = passwordReader(options);
  await bindPassword();
  return ldapDirectoryOf(options, {
    servers: ldapServersOf(servers, parts),
    bindPassword,
    logger: parts.logger,
  });
}

async function checkFilter(name: string, filter: string | undefined): Promise<void> {
  if (filter === undefined || (await isLdapFilter(filter))) return;
  throw new AuthError("UNAVAILABLE", `auth.ldap.${name} is not a filter: ${filter}`, {
    hint: "write one as in RFC 4515, such as (objectClass=person)",
  });
}

/** Reads the file each time: it is one line, and may be renewed at any time. */
function passwordReader({ bindpassword, bindpasswordfile: path }: LdapOptions) {
  return async (): Promise<Secret | undefined> => {
    if (path === undefined) return bindpassword;
    try {
      const text = (await readSettingsFile(path)).toString().replace(/\r?\n$/, "");
      if (text === "") throw new Error("it is empty");
      return new Secret(text);
    } catch (error) {
      const message = `auth.ldap.bindpasswordfile ${path} cannot be read: ${messageOf(error)}`;
      const hint = "put the password of auth.ldap.binddn into it, readable for the registry";
      throw new AuthError("UNAVAILABLE", message, { cause: error, hint });
    }
  };
}
