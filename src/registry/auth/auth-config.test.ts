import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { parseRegistryConfig } from "../config.ts";

const smallest = "version: 0.1\nstorage: {inmemory: {}}\n";
const htpasswd = "auth:\n  htpasswd: {realm: r, path: p}\n";

it.each([
  ["  tokenserver: {expiry: soon}\n", "auth.tokenserver.expiry: write a duration such as 5m"],
  ["  tokenserver: {expiry: 5s}\n", "expiry: write a duration of at least 1m"],
  ["  tokenserver: {expiry: 48h}\n", "expiry: write a duration of at most 24h"],
  ["  tokenserver: {refreshexpiry: 1s}\n", "refreshexpiry: write a duration of at least 1m"],
  ['  tokenserver: {service: "a\\nb"}\n', "service: this goes into a header"],
  ['  tokenserver: {key: ""}\n', "config.yml:5:17: auth.tokenserver.key: write the path of a file"],
  [
    "  tokenserver:\n    isuer: a\n",
    "config.yml:6:5: auth.tokenserver.isuer: this registry knows no such key; did you mean issuer",
  ],
  ['  robots: {path: ""}\n', "config.yml:5:12: auth.robots.path: write the path of a file"],
])("refuses auth with %j", (addition, message) => {
  expect(() => read(`${smallest}${htpasswd}${addition}`)).toThrow(message);
});

it.each([
  ["  tokenserver: {}\n", "config.yml:5:3: auth.tokenserver: a token server needs users: set"],
  ["  robots: {path: p}\n", "config.yml:5:3: auth.robots: robots stand beside users: set"],
])("refuses %j where somebody else knows the users", (addition, message) => {
  const silly = "auth:\n  silly: {realm: r, service: s}\n";

  expect(() => read(`${smallest}${silly}${addition}`)).toThrow(message);
});

it.each([
  ["urls: []", "auth.ldap.urls: name a server"],
  ["urls: [https://a]", "auth.ldap.urls.0: write it as ldap://host"],
  ['urls: ["ldap://a/dc=b"]', "auth.ldap.urls.0: write it as ldap://host"],
  ["binddn: cn=a", "auth.ldap.binddn: name who looks for users by binddn, and the password"],
  ["bindpassword: a", "auth.ldap.binddn: name who looks for users by binddn, and the password"],
  ['binddn: cn=a, bindpassword: ""', "write a password; many directories take an empty one"],
  ["filter: uid=a", "auth.ldap.filter: write a filter in parentheses"],
  ["userattribute: a)(b", "auth.ldap.userattribute: write the name of an attribute"],
  ["urls: [ldaps://a], starttls: true", "auth.ldap.starttls: ldaps:// speaks TLS already"],
])("refuses auth.ldap with %j", (more, message) => {
  const plain = more.includes("urls:") ? "" : "urls: [ldap://a], ";
  const ldap = `auth:\n  ldap: {basedn: dc=a, ${plain}${more}}\n`;

  expect(() => read(`${smallest}${ldap}`)).toThrow(message);
});

it("wants a place for the key of tokens where no htpasswd file is", () => {
  const ldap = "auth:\n  ldap: {basedn: dc=a, urls: [ldap://a]}\n";

  expect(() => read(`${smallest}${ldap}  tokenserver: {}\n`)).toThrow(
    "config.yml:5:3: auth.tokenserver: set key, the file that tokens are signed with",
  );
});

it.each(["oidc", "saml"])("refuses %s by its name", (kind) => {
  expect(() => read(`${smallest}${htpasswd}  ${kind}: {}\n`)).toThrow(
    `config.yml:5:3: auth.${kind}: this registry knows no such key`,
  );
});

it("hands tokens out for five minutes where nothing else is said, and none unless it is told to", () => {
  expect(read(`${smallest}${htpasswd}  tokenserver: {}\n`).auth?.tokenserver).toEqual({
    ...{ enabled: true, issuer: "dewy", service: "dewy", expiry: 300_000 },
  });
  expect(read(`${smallest}${htpasswd}`).auth?.tokenserver).toBeUndefined();
});

it("lets variables say it, too", () => {
  const { auth } = read(smallest, {
    REGISTRY_AUTH: "htpasswd",
    REGISTRY_AUTH_HTPASSWD_REALM: "r",
    REGISTRY_AUTH_HTPASSWD_PATH: "p",
    REGISTRY_AUTH_TOKENSERVER_ENABLED: "true",
    REGISTRY_AUTH_ROBOTS_PATH: "/auth/robots",
  });

  expect(auth).toMatchObject({ tokenserver: { enabled: true }, robots: { path: "/auth/robots" } });
});

it("shows every key in the example, and where things are without it", async () => {
  const file = new URL("../../../examples/registry/config.yml", import.meta.url);
  const [lines = ""] = /^# auth:.*\n(?:# {2}.*\n)+/m.exec(await readFile(file, "utf8")) ?? [];

  const { auth } = read(`${smallest}${lines.replace(/^# /gm, "")}`);

  const { tokenserver, robots, htpasswd } = auth ?? {};
  expect(Object.keys(tokenserver ?? {}).toSorted()).toEqual([
    ...["enabled", "expiry", "issuer", "key", "refreshexpiry", "service"],
  ]);
  expect(tokenserver?.key).toBe(`${htpasswd?.path}.token-key.pem`);
  expect(robots?.path).toBe(`${htpasswd?.path}.robots`);
});

function read(text: string, environment: Record<string, string> = {}) {
  return parseRegistryConfig({ file: "config.yml", text, environment });
}
