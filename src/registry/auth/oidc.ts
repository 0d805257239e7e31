import { createHash } from "node:crypto";
import * as v from "valibot";
import { orAborted } from "../../base/call.ts";
import type { Environment } from "../../base/environment.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { globPattern } from "../repository-glob.ts";
import type { AccessRules, Person } from "./access-rules.ts";
import { type Account, type Accounts, refused } from "./accounts.ts";
import { AuthError } from "./authenticator.ts";
import type { AccountParts } from "./htpasswd.ts";
import { issuerKeysOf } from "./oidc-keys.ts";
import type { OidcProvider } from "./oidc-options.ts";
import { type Claims, checkToken, claimOf, claimsIn, textsOf, UnknownKey } from "./oidc-token.ts";
import { authoritiesFor } from "./options.ts";
import { VerifiedCredentials } from "./verified-credentials.ts";

/** What credentials from here begin with. */
const prefix = "oidc.";

/** All that a rule needs to know, so that no other registry with our key has to ask anybody. */
const Kept = v.strictObject({
  issuer: v.string(),
  endsAtMs: v.number(),
  groups: v.array(v.string()),
  claims: v.record(v.string(), v.array(v.string())),
});

/**
 * Whoever shows a token of an OpenID Connect provider, as a password or by itself. What their name
 * is, the token says; the one that was typed is of no matter.
 *
 * @throws {AuthError} `UNAVAILABLE` when its issuer could never be asked
 */
export async function openOidc(
  provider: OidcProvider,
  parts: AccountParts & { rules: AccessRules; environment: Environment },
): Promise<Accounts> {
  const { issuer, audience, clocktolerance: toleranceMs } = provider;
  const { clock, logger, limit, rules, environment } = parts;
  const secureContext = await authoritiesFor("auth.oidc", provider.ca, environment);
  const http = openHttpClient({ userAgent: "dewy", environment, secureContext });
  const keys = issuerKeysOf(provider, { http, clock, logger });
  const verified = new VerifiedCredentials(clock);
  const closing = new AbortController();
  const call = { signal: closing.signal };

  return {
    isFor: async ({ password }) => claimsIn(password.reveal())?.iss === issuer,

    async logIn({ user, password }, address, { signal }) {
      const token = password.reveal();
      // Each by itself: a hundred jobs behind one address all call themselves the same.
      const name = createHash("sha256").update(token).digest("base64url").slice(0, 16);
      const attempt = { address, user: `token ${name}` };
      limit.check(attempt);
      let reason: string | undefined;
      const check = async () => {
        reason = await problemWith(token);
        return reason === undefined;
      };
      const trial = { user: "", password: token, hash: issuer };
      const isRight = verified.isRight(trial, () => limit.counted(attempt, check));
      if (await orAborted(isRight, signal)) {
        const found = accountIn(claimsIn(token) ?? {});
        if (typeof found !== "string") return found;
        reason = found;
      }
      logger.warn("login failed", { address, user, issuer, reason });
      throw refused();
    },

    async find({ user, credential }) {
      const kept = keptIn(credential);
      if (kept?.issuer !== issuer || kept.endsAtMs <= clock.now().getTime()) return undefined;
      return accountOf({ ...kept, user }, credential, kept.endsAtMs);
    },

    async close() {
      closing.abort();
      http.close();
    },
  };

  /** Why the token does not do, if so. */
  async function problemWith(token: string): Promise<string | undefined> {
    const expected = { issuer, audience, toleranceMs, now: clock.now() };
    try {
      const known = await keys.current(call);
      try {
        await checkToken(token, known, expected);
      } catch (error) {
        if (!(error instanceof UnknownKey)) throw error;
        await checkToken(token, await keys.newerThan(known, call), expected);
      }
      return undefined;
    } catch (error) {
      if (error instanceof UnknownKey) return "it is signed by a key that the issuer does not have";
      if (error instanceof AuthError && error.code === "CREDENTIALS_REFUSED") return error.message;
      throw error;
    }
  }

  /** Whose it is by what it says, or why it is nobody's. */
  function accountIn(claims: Claims & { exp?: number }): Account | string {
    const endsAtMs = (claims.exp ?? 0) * 1000 + toleranceMs;
    if (endsAtMs <= clock.now().getTime()) return "its time is over";
    const person = personIn(claims);
    if (typeof person === "string") return person;
    const kept = { issuer, endsAtMs, groups: person.groups, claims: person.claims };
    const credential = `${prefix}${Buffer.from(JSON.stringify(kept)).toString("base64url")}`;
    return accountOf(person, credential, endsAtMs);
  }

  function personIn(claims: Claims): Required<Person> | string {
    const { usernameclaim, usernameprefix, groupsclaim, requiredclaims } = provider;
    for (const [name, glob] of Object.entries(requiredclaims)) {
      if (!textsOf(claimOf(claims, name)).some((text) => globPattern(glob).test(text))) {
        return `its claim ${name} is not ${glob}`;
      }
    }
    const [name] = textsOf(claimOf(claims, usernameclaim));
    if (!name) return `it has no claim ${usernameclaim}`;
    if (usernameclaim === "email" && claims.email_verified === false) {
      return "its address of mail is not verified";
    }
    const groups = groupsclaim === undefined ? [] : textsOf(claimOf(claims, groupsclaim));
    const used = [...rules.claims].map(
      (claim) => [claim, textsOf(claimOf(claims, claim))] as const,
    );
    return {
      user: `${usernameprefix}${name}`,
      groups: groups.filter((group) => rules.groups.has(group)),
      claims: Object.fromEntries(used.filter(([, texts]) => texts.length > 0)),
    };
  }

  function accountOf(person: Person, credential: string, expiresAtMs: number): Account {
    return { user: person.user, grant: rules.grantTo(person), credential, expiresAtMs };
  }
}

/** Only ever of a token that we have signed ourselves. */
function keptIn(credential: string): v.InferOutput<typeof Kept> | undefined {
  if (!credential.startsWith(prefix)) return undefined;
  try {
    const text = Buffer.from(credential.slice(prefix.length), "base64url").toString();
    const result = v.safeParse(Kept, JSON.parse(text));
    return result.success ? result.output : undefined;
  } catch {
    return undefined;
  }
}
