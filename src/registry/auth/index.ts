import * as v from "valibot";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { AccessRule, accessRulesOf } from "./access-rules.ts";
import type { Authenticator } from "./authenticator.ts";
import { type Gate, gateOf, openGate } from "./gate.ts";
import { HtpasswdOptions, openHtpasswd } from "./htpasswd.ts";
import { LoginLimitOptions } from "./login-limit.ts";
import { openSilly, SillyOptions } from "./silly.ts";
import { openToken, TokenOptions } from "./token.ts";
import { TrustedProxies } from "./trusted-proxies.ts";

/** `auth:` of the configuration: one kind, and what we have beside Distribution's. */
export const Auth = v.pipe(
  v.strictObject({
    none: v.optional(v.nullable(v.strictObject({}))),
    htpasswd: v.optional(HtpasswdOptions),
    token: v.optional(TokenOptions),
    silly: v.optional(SillyOptions),
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
  if (auth === undefined) return openGate;
  const authenticator = await openAuthenticator(auth, parts, call);
  if (authenticator === undefined) return openGate;
  return gateOf(authenticator, auth.access && accessRulesOf(auth.access));
}

async function openAuthenticator(
  { htpasswd, token, silly, failedlogins: failedLogins }: Auth,
  parts: GateParts,
  call: Call,
): Promise<Authenticator | undefined> {
  if (htpasswd) return await openHtpasswd(htpasswd, { ...parts, failedLogins }, call);
  if (token) return await openToken(token, parts);
  return silly && openSilly(silly);
}
