import type { Call } from "../../base/call.ts";
import { type AccessRule, accessRulesOf } from "./access-rules.ts";
import { passwordAuthenticator } from "./accounts.ts";
import type { Grant } from "./authenticator.ts";
import { type Gate, gateOf } from "./gate.ts";
import { openPeople, type PeopleParts } from "./people.ts";
import type { PeopleOptions } from "./people-options.ts";
import { openSigningKey } from "./signing-key.ts";
import { tokenServerOf } from "./token-server.ts";
import { tokenServerAuthenticator } from "./token-server-authenticator.ts";
import type { TokenServerOptions } from "./token-server-options.ts";

/**
 * The gate where we know the users ourselves.
 *
 * @throws {AuthError} `UNAVAILABLE`
 */
export async function openPeopleGate(
  auth: PeopleOptions & { tokenserver?: TokenServerOptions | undefined },
  parts: PeopleParts,
  call: Call,
): Promise<Gate> {
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
