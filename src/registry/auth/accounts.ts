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

/** Those who log in by a name and a password, as they are now: their files may change at any time. */
export interface Accounts {
  /**
   * @throws {AuthError} `CREDENTIALS_REFUSED` in the same words whatever is wrong;
   * `TOO_MANY_FAILURES`; `UNAVAILABLE` when it cannot be told.
   */
  logIn(credentials: PasswordCredentials, address: string, call: Call): Promise<Account>;
  /** `undefined` for an account that does not exist, or not any more. @throws {AuthError} `UNAVAILABLE` */
  find(user: string): Promise<Account | undefined>;
  close(): Promise<void>;
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
