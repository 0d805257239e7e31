import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Secret } from "../../base/secret.ts";
import { type Account, type Accounts, asPassword, refused } from "./accounts.ts";
import type { Credentials, Grant, Wish } from "./authenticator.ts";
import type { RereadFile } from "./reread-file.ts";
import { type Access, accessFor } from "./scope.ts";
import type { SigningKey } from "./signing-key.ts";
import { type ReadToken, type TokenReader, tokenReader } from "./token-reader.ts";
import { longestLifetimeMs, type TokenServerOptions } from "./token-server-options.ts";
import { signedToken } from "./token-signer.ts";

export interface TokenRequest {
  /** Nothing, for a token that lets do what is open to all. */
  credentials: Credentials | { scheme: "refresh"; token: Secret } | undefined;
  wishes: readonly Wish[];
  /** Whether a token to get further ones with is wanted, too. */
  offline: boolean;
  address: string;
}

export interface IssuedToken {
  token: Secret;
  refreshToken: Secret | undefined;
  issuedAt: Date;
  expiresInSeconds: number;
}

/** Hands out tokens that our own gate lets in. Knows nothing of how they were asked for. */
export interface TokenServer {
  readonly service: string;
  /** What it asks a name and a password for. */
  readonly realm: string;
  /**
   * A token for as much of what is wished as may be had, which can be nothing at all.
   *
   * @throws {AuthError} `CREDENTIALS_REFUSED`, also for nobody where nothing is open to all;
   * `TOO_MANY_FAILURES`; `UNAVAILABLE`
   */
  issue(request: TokenRequest, call: Call): Promise<IssuedToken>;
}

export interface TokenServerParts {
  accounts: Accounts;
  /** What those may do who do not log in. */
  anonymous: Grant | undefined;
  signingKey: RereadFile<SigningKey>;
  clock: Clock;
  logger: Logger;
  /** What a name and a password are asked for. */
  realm: string;
}

export function tokenServerOf(
  options: TokenServerOptions,
  { accounts, anonymous, signingKey, clock, logger, realm }: TokenServerParts,
): TokenServer {
  const { issuer, service, expiry, refreshexpiry = longestLifetimeMs } = options;
  const readRefresh = ownTokenReader(refreshAudience(service), options, {
    signingKey,
    clock,
    logger,
  });

  return {
    service,
    realm,

    async issue(request, call) {
      const account = await accountFor(request, { accounts, readRefresh }, call);
      const grant = account?.grant ?? anonymous;
      if (grant === undefined) throw refused();
      const key = await signingKey.current();
      const issuedAt = clock.now();
      const common = { iss: issuer, sub: account?.user ?? "", issuedAt };
      const made = (aud: string, expiresAtMs: number, access?: readonly Access[]) => {
        const more = { credential: account?.credential, access };
        return signedToken({ ...common, aud, expiresAtMs, more }, key);
      };
      const expiresAtMs = endOf(account, issuedAt, expiry);
      const access = accessFor(request.wishes.filter((wish) => grant.allows(wish)));
      const isLasting = request.offline && account !== undefined;
      const refreshEndMs = endOf(account, issuedAt, refreshexpiry);
      return {
        token: made(service, expiresAtMs, access),
        refreshToken: isLasting ? made(refreshAudience(service), refreshEndMs) : undefined,
        issuedAt,
        expiresInSeconds: Math.floor((expiresAtMs - issuedAt.getTime()) / 1000),
      };
    },
  };
}

async function accountFor(
  { credentials, address }: TokenRequest,
  { accounts, readRefresh }: { accounts: Accounts; readRefresh: TokenReader },
  call: Call,
): Promise<Account | undefined> {
  if (credentials === undefined) return undefined;
  if (credentials.scheme === "basic") return await accounts.logIn(credentials, address, call);
  if (credentials.scheme === "bearer") {
    const shown = asPassword(credentials.token);
    if (await accounts.isFor(shown)) return await accounts.logIn(shown, address, call);
  }
  if (credentials.scheme !== "refresh") throw refused();
  return await ownerOf(await readRefresh(credentials.token, address), accounts, call);
}

/** Not the service's own name: what is for getting tokens is none itself, and the other way round. */
const refreshAudience = (service: string): string => `${service} refresh`;

/** Reads tokens for `audience` that this server has made. */
export function ownTokenReader(
  audience: string,
  { issuer }: TokenServerOptions,
  { signingKey, clock, logger }: Pick<TokenServerParts, "signingKey" | "clock" | "logger">,
) {
  const rules = { issuer, service: audience, algorithms: ["ES256"] as const, clock };
  return tokenReader(async () => (await signingKey.current()).keys, rules, logger);
}

/** Whose it is, unless the account is gone since then, or has another password. */
export async function ownerOf(
  { subject: user, credential }: ReadToken,
  accounts: Accounts,
  call: Call,
): Promise<Account> {
  if (user === "" || credential === undefined) throw refused();
  const account = await accounts.find({ user, credential }, call);
  if (account?.credential !== credential) throw refused();
  return account;
}

function endOf(account: Account | undefined, issuedAt: Date, lifetimeMs: number): number {
  return Math.min(
    issuedAt.getTime() + lifetimeMs,
    account?.expiresAtMs ?? Number.POSITIVE_INFINITY,
  );
}
