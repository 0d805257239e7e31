import * as v from "valibot";
import { collect } from "../base/bytes.ts";
import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import { basic, type HttpAnswer, type HttpClient } from "../base/http-client.ts";
import { Secret } from "../base/secret.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { Credential } from "./credential.ts";
import type { CredentialSource } from "./credentials.ts";
import { OciError } from "./error.ts";
import { refusal } from "./server-error.ts";

export interface AuthorizerParts {
  host: string;
  /** Whether the registry itself is spoken to without TLS; then its token server may be, too. */
  plainHttp: boolean;
  credentials: CredentialSource;
  http: HttpClient;
  clock: Clock;
}

/** Gets past the door of one registry, and keeps what opened it. */
export interface Authorizer {
  /** The header to send for `scope`, as far as is known yet. */
  header(scope: string): Secret | undefined;
  /** Takes a 401's challenge; `undefined` when there is nothing (new) to answer it with. */
  answer(challenge: string, scope: string, call: Call): Promise<Secret | undefined>;
}

/** Distribution's "Token Authentication Specification"; without `expires_in` a minute is meant. */
const TokenAnswer = v.object({
  token: v.optional(v.string()),
  access_token: v.optional(v.string()),
  expires_in: v.optional(v.pipe(v.number(), v.minValue(0)), 60),
});

/** Given up before the server does, so that a token does not end on the way. */
const marginMs = 10_000;
const maximumTokens = 64;

export function openAuthorizer(parts: AuthorizerParts): Authorizer {
  const { host, clock, credentials } = parts;
  const tokens = new Map<string, { header: Secret; expiresAt: number }>();
  let password: { header: Secret; expiresAt: number } | undefined;

  return {
    header(scope) {
      const now = clock.now().getTime();
      const token = tokens.get(scope);
      if (token && token.expiresAt > now) return token.header;
      tokens.delete(scope);
      return password && password.expiresAt > now ? password.header : undefined;
    },

    async answer(challenge, scope, call) {
      const challenges = parseChallenges(challenge);
      const bearer = challenges.find(({ scheme }) => scheme === "bearer");
      if (bearer) return remember(scope, await fetchToken(parts, bearer, scope, call));
      if (!challenges.some(({ scheme }) => scheme === "basic")) return undefined;
      const credential = await credentials(host, call);
      if (credential?.kind !== "password") return undefined;
      const header = basic(credential.username, credential.password.reveal());
      const expiresAt = credential.expiresAt?.getTime() ?? Infinity;
      password = { header, expiresAt: expiresAt - marginMs };
      return header;
    },
  };

  function remember(scope: string, { value, lifeMs }: { value: string; lifeMs: number }): Secret {
    if (tokens.size >= maximumTokens) tokens.clear();
    const header = new Secret(`Bearer ${value}`);
    const usableMs = Math.max(lifeMs - marginMs, lifeMs / 2);
    tokens.set(scope, { header, expiresAt: clock.now().getTime() + usableMs });
    return header;
  }
}

async function fetchToken(parts: AuthorizerParts, bearer: Challenge, scope: string, call: Call) {
  const { host, http, credentials, clock } = parts;
  const { service, scope: wanted = scope } = bearer.parameters;
  const realm = realmOf(bearer, parts);
  const credential = await credentials(host, call);
  const query = { ...(service === undefined ? {} : { service }), scope: wanted };
  const request = tokenRequest(realm, query, credential);
  const answer = await http.request(request, call);
  if (answer.status !== 200) {
    const what = `get a token for ${scope} from ${realm.host}`;
    throw await refusal(answer, { host, what, missing: "UNAUTHORIZED", now: clock.now() });
  }
  return tokenIn(answer, realm);
}

/** RFC 6749 for an identity token, else the older GET that every token server knows. */
function tokenRequest(realm: URL, query: Record<string, string>, credential?: Credential) {
  if (credential?.kind === "identity-token") {
    const form = new URLSearchParams({
      ...query,
      grant_type: "refresh_token",
      client_id: "dewy",
      refresh_token: credential.token.reveal(),
    });
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    // Not redirected: the credential is in the body, where the client cannot take it out.
    return {
      method: "POST",
      url: realm,
      headers,
      body: form.toString(),
      redirect: "manual",
      secrets: [credential.token],
    } as const;
  }
  const url = new URL(realm);
  const { scope = "", ...others } = query;
  for (const [name, value] of Object.entries(others)) url.searchParams.set(name, value);
  for (const one of scope.split(" ").filter(Boolean)) url.searchParams.append("scope", one);
  if (credential === undefined) return { url };
  const authorization = basic(credential.username, credential.password.reveal());
  return { url, headers: { authorization } };
}

function realmOf({ parameters }: Challenge, { host, plainHttp }: AuthorizerParts): URL {
  const { realm = "" } = parameters;
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  const isSafe = url?.protocol === "https:" || (plainHttp && url?.protocol === "http:");
  if (url !== undefined && isSafe && url.username === "") return url;
  throw new OciError("UNAUTHORIZED", `${host} wants credentials sent to ${realm || "nowhere"}`, {
    hint: "have the registry name a token server with an https URL",
  });
}

async function tokenIn(answer: HttpAnswer, realm: URL): Promise<{ value: string; lifeMs: number }> {
  const text = (await collect(answer.body, 256 * 1024)).toString();
  try {
    const { token, access_token, expires_in } = v.parse(TokenAnswer, JSON.parse(text));
    const value = token || access_token;
    if (value && /^[\x21-\x7e]+$/.test(value)) return { value, lifeMs: expires_in * 1000 };
  } catch {
    // falls through: the message of either parser could quote the token
  }
  throw new OciError("UNAUTHORIZED", `the token server ${realm.host} answered without a token`, {
    hint: "check the token server that the registry names",
  });
}
