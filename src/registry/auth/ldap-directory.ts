import { createHash } from "node:crypto";
import type { Call } from "../../base/call.ts";
import type { Logger } from "../../base/logger.ts";
import type { Secret } from "../../base/secret.ts";
import { AuthError } from "./authenticator.ts";
import { escapedForFilter, type LdapConnection, type LdapEntry } from "./ldap-connection.ts";
import type { LdapOptions } from "./ldap-options.ts";
import type { LdapServers } from "./ldap-servers.ts";

/** A user as the directory has it. */
export interface DirectoryUser {
  dn: string;
  /** In the directory's own spelling: `Alice` and `alice ` are the same to it. */
  name: string;
  groups: readonly string[];
  /** Another one for another entry, and where the directory tells when, for another password. */
  credential: string;
}

/** Users of an LDAP directory. Both throw {AuthError} `UNAVAILABLE`. */
export interface LdapDirectory {
  find(name: string, call: Call): Promise<DirectoryUser | undefined>;
  /** Asks for nobody's as well, so that how long it takes does not tell who exists. */
  isRight(user: DirectoryUser | undefined, password: Secret, call: Call): Promise<boolean>;
}

export interface DirectoryParts {
  servers: LdapServers;
  /** The password of `binddn`, as it is now. */
  bindPassword(): Promise<Secret | undefined>;
  logger: Logger;
}

/** What credentials from here begin with. */
export const ldapCredential = "ldap.";

/** When the password was changed: of OpenLDAP and others, Active Directory, and FreeIPA. */
const passwordTimes = ["pwdChangedTime", "pwdLastSet", "krbLastPwdChange"];
const mostGroups = 1_000;

export function ldapDirectoryOf(options: LdapOptions, parts: DirectoryParts): LdapDirectory {
  const { basedn, binddn, userattribute, filter = "", usergroupattribute } = options;
  const { servers, bindPassword, logger } = parts;

  return {
    async find(name, call) {
      const password = await bindPassword();
      return await servers.ask(async (connection) => {
        await signIn(connection, password);
        const entry = await entryOf(connection, name);
        return entry && (await userFrom(connection, entry, name));
      }, call);
    },

    isRight: (user, password, call) =>
      servers.ask(async (connection) => {
        const isRight = await connection.bind(user?.dn ?? `cn=nobody,${basedn}`, password);
        return isRight && user !== undefined;
      }, call),
  };

  async function signIn(connection: LdapConnection, password: Secret | undefined): Promise<void> {
    if (binddn === undefined || password === undefined) return;
    if (await connection.bind(binddn, password)) return;
    throw new AuthError("UNAVAILABLE", `the directory refuses ${binddn}`, {
      hint: "check auth.ldap.binddn and its password; no user can log in until then",
    });
  }

  async function entryOf(connection: LdapConnection, name: string) {
    const own = `(${userattribute}=${escapedForFilter(name)})`;
    const attributes = [userattribute, ...passwordTimes];
    if (usergroupattribute !== undefined) attributes.push(usergroupattribute);
    const wanted = { filter: filter === "" ? own : `(&${own}${filter})`, attributes, most: 2 };
    const [entry, other] = await connection.search({ base: basedn, ...wanted });
    if (other === undefined) return entry;
    const hint = "make auth.ldap.userattribute or filter name only one";
    logger.warn("several users of the directory have the same name", { user: name, hint });
    return undefined;
  }

  async function userFrom(
    connection: LdapConnection,
    entry: LdapEntry,
    asked: string,
  ): Promise<DirectoryUser> {
    const name = nameIn(entry.valuesOf(userattribute), asked);
    const times = passwordTimes.flatMap((attribute) => entry.valuesOf(attribute));
    const own = usergroupattribute === undefined ? [] : entry.valuesOf(usergroupattribute);
    const groups = [...own.map(groupNameIn), ...(await groupsOf(connection, entry.dn, name))];
    const digest = createHash("sha256").update(JSON.stringify([entry.dn, ...times]));
    const credential = `${ldapCredential}${digest.digest("base64url").slice(0, 22)}`;
    return { dn: entry.dn, name, groups: [...new Set(groups)], credential };
  }

  async function groupsOf(connection: LdapConnection, dn: string, name: string) {
    const { groupbasedn: base, groupattribute, groupfilter = "", groupmember } = options;
    if (base === undefined) return [];
    const anyOf = groupmember.map((attribute) => {
      // RFC 2307: the only one that has names and not entries in it.
      const value = attribute.toLowerCase() === "memberuid" ? name : dn;
      return `(${attribute}=${escapedForFilter(value)})`;
    });
    const found = await connection.search({
      base,
      filter: `(&(|${anyOf.join("")})${groupfilter})`,
      attributes: [groupattribute],
      most: mostGroups,
    });
    return found.flatMap((group) => group.valuesOf(groupattribute).slice(0, 1));
  }
}

/** An entry may have several names; the one that was asked for, else the first. */
function nameIn(names: readonly string[], asked: string): string {
  const plain = (name: string) => name.normalize("NFKC").trim().toLowerCase();
  return names.find((name) => plain(name) === plain(asked)) ?? names[0] ?? asked;
}

/** `developers` of `cn=developers,ou=groups,dc=example`. */
function groupNameIn(value: string): string {
  const [, name] = /^[A-Za-z][\w.-]*=((?:\\.|[^,+\\])*)/.exec(value) ?? [];
  return name?.replace(/\\([^0-9a-fA-F])/g, "$1") ?? value;
}
