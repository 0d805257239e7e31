import * as v from "valibot";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { AccessRule, accessRulesOf } from "./access-rules.ts";
import { type Accounts, passwordAuthenticator } from "./accounts.ts";
import type { Grant } from "./authenticator.ts";
import { type Gate, gateOf, openGate } from "./gate.ts";
import { HtpasswdOptions, openHtpasswd } from "./htpasswd.ts";
import { LoginLimit, LoginLimitOptions } from "./login-limit.ts";
import { accountsWithRobots, openRobots, RobotOptions, robotPathsOf } from "./robots.ts";
import { openSigningKey } from "./signing-key.ts";
import { openSilly, SillyOptions } from "./silly.ts";
import { openToken, TokenOptions } from "./token.ts";
import { TokenServerOptions, tokenServerOf } from "./token-server.ts";
import { tokenServerAuthenticator } from "./token-server-authenticator.ts";
import { TrustedProxies } from "./trusted-proxies.ts";

/** `auth:` of the configuration: one kind, and what we have beside Distribution's. */
export const Auth = v.pipe(
  v.strictObject({
    none: v.optional(v.nullable(v.strictObject({}))),
    htpasswd: v.optional(HtpasswdOptions),
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
    ({ none, htpasswd, token, silly }) =>
      [none, htpasswd, token, silly].filter((kind) => kind !== undefined).length === 1,
    "choose one of: htpasswd, token, silly, none",
  ),
  v.forward(
    v.check(
      ({ access, htpasswd }) => access === undefined || htpasswd !== undefined,
      "rules need users: set auth.htpasswd (with auth.token, the token server has the rules)",
    ),
    ["access"],
  ),
  v.forward(
    v.check(
      ({ tokenserver, htpasswd }) => tokenserver === undefined || htpasswd !== undefined,
      "a token server needs users: set auth.htpasswd",
    ),
    ["tokenserver"],
  ),
  v.forward(
    v.check(
      ({ robots, htpasswd }) => robots === undefined || htpasswd !== undefined,
      "robots stand beside users: set auth.htpasswd",
    ),
    ["robots"],
  ),
);
export type Auth = v.InferOutput<typeof Auth>;

export interface GateParts {
  clock: Clock;
  logger: Logger;
}

/** @throws {AuthError} `UNAVAILABLE` when what it needs cannot be read */
export async function openGateFor(
  auth: Auth | undefined,
  parts: GateParts,
  call: Call,
): Promise<Gate> {
  if (auth?.htpasswd) return await openOwnGate({ ...auth, htpasswd: auth.htpasswd }, parts, call);
  if (auth?.token) return gateOf(await openToken(auth.token, parts), { anonymous: undefined });
  if (auth?.silly) return gateOf(openSilly(auth.silly), { anonymous: undefined });
  return openGate;
}

type OwnAuth = Auth & { htpasswd: HtpasswdOptions };

/** Where we know the users ourselves. */
async function openOwnGate(auth: OwnAuth, parts: GateParts, call: Call): Promise<Gate> {
  const { htpasswd, access, tokenserver } = auth;
  const anonymous = anonymousGrantOf(access ?? []);
  const accounts = await openAccounts(auth, parts, call);
  const { realm } = htpasswd;
  if (!tokenserver?.enabled) {
    return gateOf(passwordAuthenticator(accounts, realm), { anonymous });
  }
  try {
    const path = tokenserver.key ?? `${htpasswd.path}.token-key.pem`;
    const signingKey = await openSigningKey(path, parts);
    const all = { ...parts, accounts, anonymous, signingKey, realm };
    const tokens = tokenServerOf(tokenserver, all);
    return gateOf(tokenServerAuthenticator(tokenserver, all), { anonymous, tokens });
  } catch (error) {
    await accounts.close();
    throw error;
  }
}

async function openAccounts(
  { htpasswd, access, failedlogins, robots }: OwnAuth,
  parts: GateParts,
  call: Call,
): Promise<Accounts> {
  const limit = new LoginLimit(failedlogins, parts.clock);
  const rules = access && accessRulesOf(access);
  const people = await openHtpasswd(htpasswd, { ...parts, limit, rules }, call);
  try {
    const anonymousRules = (access ?? []).filter(({ anonymous }) => anonymous);
    const paths = robotPathsOf(robots?.path, htpasswd.path);
    const machines = await openRobots(paths, { ...parts, limit, anonymousRules });
    return accountsWithRobots(people, machines);
  } catch (error) {
    await people.close();
    throw error;
  }
}

/** Nothing, where no rule lets anybody in without a name. */
function anonymousGrantOf(rules: readonly AccessRule[]): Grant | undefined {
  const isOpen = rules.some(({ anonymous }) => anonymous);
  return isOpen ? accessRulesOf(rules).grantTo(undefined) : undefined;
}
