import * as v from "valibot";
import type { Call } from "../../base/call.ts";
import { AccessRule, accessRulesOf } from "./access-rules.ts";
import { passwordAuthenticator } from "./accounts.ts";
import type { Grant } from "./authenticator.ts";
import { type Gate, gateOf, openGate } from "./gate.ts";
import { HtpasswdOptions } from "./htpasswd.ts";
import { LdapOptions } from "./ldap.ts";
import { LoginLimitOptions } from "./login-limit.ts";
import { hasPeople, openPeople, type PeopleParts, peopleSections } from "./people.ts";
import { RobotOptions } from "./robots.ts";
import { openSigningKey } from "./signing-key.ts";
import { openSilly, SillyOptions } from "./silly.ts";
import { openToken, TokenOptions } from "./token.ts";
import { TokenServerOptions, tokenServerOf } from "./token-server.ts";
import { tokenServerAuthenticator } from "./token-server-authenticator.ts";
import { TrustedProxies } from "./trusted-proxies.ts";

const needed = `set ${peopleSections.map((section) => `auth.${section}`).join(" or ")}`;

/** `auth:` of the configuration: who is let in, and what we have beside Distribution's. */
export const Auth = v.pipe(
  v.strictObject({
    none: v.optional(v.nullable(v.strictObject({}))),
    htpasswd: v.optional(HtpasswdOptions),
    ldap: v.optional(LdapOptions),
    token: v.optional(TokenOptions),
    silly: v.optional(SillyOptions),
    tokenserver: v.optional(TokenServerOptions),
    robots: v.optional(RobotOptions),
    access: v.optional(
      v.pipe(
        v.array(AccessRule, "write a list of rules"),
        v.minLength(1, "write a rule, or leave it out"),
      ),
    ),
    failedlogins: v.optional(LoginLimitOptions, {}),
    trustedproxies: v.optional(TrustedProxies, []),
  }),
  v.check(
    ({ none, token, silly, ...people }) =>
      [none, token, silly, hasPeople(people) || undefined].filter((kind) => kind !== undefined)
        .length === 1,
    `choose one of: ${peopleSections.join(", ")} (or several of these), token, silly, none`,
  ),
  v.forward(
    v.check(
      ({ access, ...people }) => access === undefined || hasPeople(people),
      `rules need users: ${needed} (with auth.token, the token server has the rules)`,
    ),
    ["access"],
  ),
  v.forward(
    v.check(
      ({ tokenserver, ...people }) => tokenserver === undefined || hasPeople(people),
      `a token server needs users: ${needed}`,
    ),
    ["tokenserver"],
  ),
  v.forward(
    v.check(
      ({ tokenserver, htpasswd }) =>
        !tokenserver?.enabled || tokenserver.key !== undefined || htpasswd !== undefined,
      "set key, the file that tokens are signed with: there is no htpasswd file to keep it beside",
    ),
    ["tokenserver"],
  ),
  v.forward(
    v.check(
      ({ robots, ...people }) => robots === undefined || hasPeople(people),
      `robots stand beside users: ${needed}`,
    ),
    ["robots"],
  ),
);
export type Auth = v.InferOutput<typeof Auth>;

export type GateParts = PeopleParts;

/** @throws {AuthError} `UNAVAILABLE` when what it needs cannot be read */
export async function openGateFor(
  auth: Auth | undefined,
  parts: GateParts,
  call: Call,
): Promise<Gate> {
  if (auth && hasPeople(auth)) return await openOwnGate(auth, parts, call);
  if (auth?.token) return gateOf(await openToken(auth.token, parts), { anonymous: undefined });
  if (auth?.silly) return gateOf(openSilly(auth.silly), { anonymous: undefined });
  return openGate;
}

/** Where we know the users ourselves. */
async function openOwnGate(auth: Auth, parts: GateParts, call: Call): Promise<Gate> {
  const { htpasswd, access, tokenserver } = auth;
  const anonymous = anonymousGrantOf(access ?? []);
  const accounts = await openPeople(auth, parts, call);
  const realm = htpasswd?.realm ?? "Registry";
  if (!tokenserver?.enabled) {
    return gateOf(passwordAuthenticator(accounts, realm), { anonymous });
  }
  try {
    const path = tokenserver.key ?? `${htpasswd?.path}.token-key.pem`;
    const signingKey = await openSigningKey(path, parts);
    const all = { ...parts, accounts, anonymous, signingKey, realm };
    const tokens = tokenServerOf(tokenserver, all);
    return gateOf(tokenServerAuthenticator(tokenserver, all), { anonymous, tokens });
  } catch (error) {
    await accounts.close();
    throw error;
  }
}

/** Nothing, where no rule lets anybody in without a name. */
function anonymousGrantOf(rules: readonly AccessRule[]): Grant | undefined {
  const isOpen = rules.some(({ anonymous }) => anonymous);
  return isOpen ? accessRulesOf(rules).grantTo(undefined) : undefined;
}
