import * as v from "valibot";
import type { Call } from "../../base/call.ts";
import { AccessRule } from "./access-rules.ts";
import { type Gate, gateOf, openGate } from "./gate.ts";
import { HtpasswdOptions } from "./htpasswd-options.ts";
import { LdapOptions } from "./ldap-options.ts";
import { LoginLimitOptions } from "./login-limit.ts";
import { OidcOptions } from "./oidc-options.ts";
import type { PeopleParts } from "./people.ts";
import { hasPeople, peopleSections } from "./people-options.ts";
import { RobotOptions } from "./robot-options.ts";
import { openSilly, SillyOptions } from "./silly.ts";
import { TokenOptions } from "./token-options.ts";
import { TokenServerOptions } from "./token-server-options.ts";
import { TrustedProxies } from "./trusted-proxies.ts";

const needed = `set ${peopleSections.map((section) => `auth.${section}`).join(" or ")}`;

/** `auth:` of the configuration: who is let in, and what we have beside Distribution's. */
export const Auth = v.pipe(
  v.strictObject({
    none: v.optional(v.nullable(v.strictObject({}))),
    htpasswd: v.optional(HtpasswdOptions),
    ldap: v.optional(LdapOptions),
    oidc: v.optional(OidcOptions),
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
      ({ oidc, access }) => oidc === undefined || access !== undefined,
      "an issuer has tokens for many, and not all of them are yours: say in auth.access who may do what",
    ),
    ["oidc"],
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

/**
 * Loads what this `auth` asks for, and nothing else.
 *
 * @throws {AuthError} `UNAVAILABLE` when what it needs cannot be read
 */
export async function openGateFor(
  auth: Auth | undefined,
  parts: GateParts,
  call: Call,
): Promise<Gate> {
  if (auth && hasPeople(auth)) {
    const { openPeopleGate } = await import("./people-gate.ts");
    return await openPeopleGate(auth, parts, call);
  }
  if (auth?.token) {
    const { openToken } = await import("./token.ts");
    return gateOf(await openToken(auth.token, parts), { anonymous: undefined });
  }
  if (auth?.silly) return gateOf(openSilly(auth.silly), { anonymous: undefined });
  return openGate;
}
