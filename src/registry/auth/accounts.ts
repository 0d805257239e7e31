import type { Call } from "../../base/call.ts";
import { AuthError, type Authenticator, type Credentials, type Grant } from "./authenticator.ts";

export type PasswordCredentials = Extract<Credentials, { scheme: "basic" }>;

/** Somebody who logs in by a name and a password. */
export interface Account {
  user: string;
  /** What the user may do now. */
  grant: Grant;
  /** Another one when the password is another one; of which it tells nothing. */
  credential: string;
  /** When it ends by itself. */
  expiresAtMs?: number;
}

/**
 * Those who log in by a name and a password, as they are now: their files may change at any time,
 * and so may a directory of people that is asked over the network.
 */
export interface Accounts {
  /** Whether it is here that `credentials` are judged. @throws {AuthError} `UNAVAILABLE` */
  isFor(credentials: PasswordCredentials): Promise<boolean>;
  /**
   * @throws {AuthError} `CREDENTIALS_REFUSED` in the same words whatever is wrong;
   * `TOO_MANY_FAILURES`; `UNAVAILABLE` when it cannot be told.
   */
  logIn(credentials: PasswordCredentials, address: string, call: Call): Promise<Account>;
  /**
   * The account that somebody once logged in to, as it is now; `undefined` when it does not exist any
   * more. Whether it still has that `credential`, the caller compares.
   *
   * @throws {AuthError} `UNAVAILABLE`
   */
  find(login: PastLogin, call: Call): Promise<Account | undefined>;
  close(): Promise<void>;
}

export type PastLogin = Pick<Account, "user" | "credential">;

/**
 * The accounts of several places. The first one that credentials are for judges them, and when they
 * are for none, `last`.
 */
export function accountsOf(places: readonly Accounts[], last: Accounts | undefined): Accounts {
  return {
    isFor: async (credentials) => (await judgeOf(credentials)) !== undefined,

    async logIn(credentials, address, call) {
      const judge = (await judgeOf(credentials)) ?? last;
      if (judge === undefined) throw refused();
      return await judge.logIn(credentials, address, call);
    },

    async find(login, call) {
      for (const place of places) {
        const account = await place.find(login, call);
        if (account?.credential === login.credential) return account;
      }
      return undefined;
    },

    async close() {
      for (const place of places) await place.close();
    },
  };

  async function judgeOf(credentials: PasswordCredentials): Promise<Accounts | undefined> {
    for (const place of places) if (await place.isFor(credentials)) return place;
    return undefined;
  }
}

/** Asks each visitor for a name and a password (RFC 7617). */
export function passwordAuthenticator(accounts: Accounts, realm: string): Authenticator {
  return {
    challenge: () => ({ scheme: "basic", parameters: { realm } }),
    async identify(credentials, { address }, call) {
      if (credentials.scheme !== "basic") throw refused();
      return (await accounts.logIn(credentials, address, call)).grant;
    },
    close: () => accounts.close(),
  };
}

/** For every reason the same. */
export function refused(): AuthError {
  return new AuthError("CREDENTIALS_REFUSED", "authentication required");
}
