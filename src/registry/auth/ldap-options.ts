import * as v from "valibot";
import { Secret } from "../../base/secret.ts";
import { duration, YesOrNo } from "../config-values.ts";
import { FilePath } from "./options.ts";

const Text = v.pipe(v.string("write a text"), v.nonEmpty("write a text"));
const urlForm = "write it as ldap://host or ldaps://host, with a port if need be";

const LdapUrl = v.pipe(
  v.string(urlForm),
  v.check((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !/^ldaps?:$/.test(url.protocol)) return false;
    const more = url.username + url.password + url.search + url.hash;
    return url.hostname !== "" && ["", "/"].includes(url.pathname) && more === "";
  }, urlForm),
);

/** By its name, and maybe a matching rule, such as `member:1.2.840.113556.1.4.1941:`. */
const Attribute = v.pipe(
  v.string("write the name of an attribute, such as uid"),
  v.regex(/^[A-Za-z][\w;-]*$/, "write the name of an attribute, such as uid"),
);
const MatchedAttribute = v.pipe(
  v.string("write the name of an attribute, such as member"),
  v.regex(/^[A-Za-z][\w;-]*(?::[\d.]+:)?$/, "write the name of an attribute, such as member"),
);

const Filter = v.pipe(
  v.string("write a filter, such as (objectClass=person)"),
  v.regex(/^\(.+\)$/s, "write a filter in parentheses, such as (objectClass=person)"),
);

const Password = v.pipe(
  v.string("write it in quotes, so that every digit of it counts"),
  v.nonEmpty("write a password; many directories take an empty one for anybody's"),
  v.transform((text) => new Secret(text)),
);

/** `auth.ldap`, which is our own. */
export const LdapOptions = v.pipe(
  v.strictObject({
    /** Asked in this order: the next one when one is down. */
    urls: v.pipe(
      v.array(LdapUrl, "write a list of URLs, such as [ldaps://ldap.example.com]"),
      v.minLength(1, "name a server, such as ldaps://ldap.example.com"),
    ),
    starttls: v.optional(YesOrNo, false),
    /** Whom to trust; without it, whom the system trusts. */
    ca: v.optional(FilePath),
    /** Who looks for users; without it, nobody in particular. */
    binddn: v.optional(Text),
    bindpassword: v.optional(Password),
    bindpasswordfile: v.optional(FilePath),
    basedn: Text,
    userattribute: v.optional(Attribute, "uid"),
    /** What a user's entry must be besides. */
    filter: v.optional(Filter),
    /** In the entry of a user: the groups it is in, such as `memberOf`. */
    usergroupattribute: v.optional(Attribute),
    /** Where entries of groups are; without it, none are looked for. */
    groupbasedn: v.optional(Text),
    groupfilter: v.optional(Filter),
    /** What a group is called. */
    groupattribute: v.optional(Attribute, "cn"),
    /** In the entry of a group: who is in it. */
    groupmember: v.optional(
      v.pipe(
        v.array(MatchedAttribute, "write a list, such as [member]"),
        v.minLength(1, "write a list, such as [member]"),
      ),
      ["member", "uniqueMember", "memberUid"],
    ),
    /** Of everything that one server is asked for a login. */
    timeout: v.optional(duration({ leastMs: 100, mostMs: 60_000 }), "5s"),
  }),
  v.forward(
    v.check(
      ({ binddn, bindpassword, bindpasswordfile: file }) =>
        [bindpassword, file].filter((given) => given !== undefined).length ===
        (binddn === undefined ? 0 : 1),
      "name who looks for users by binddn, and the password by bindpasswordfile or bindpassword",
    ),
    ["binddn"],
  ),
  v.forward(
    v.check(
      ({ urls, starttls }) => !starttls || urls.every((url) => url.startsWith("ldap:")),
      "ldaps:// speaks TLS already: write ldap:// or leave starttls out",
    ),
    ["starttls"],
  ),
);
export type LdapOptions = v.InferOutput<typeof LdapOptions>;
