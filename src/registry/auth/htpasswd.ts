import { createHash } from "node:crypto";
import { type Call, withTimeout } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { AccessRules } from "./access-rules.ts";
import { type Account, type Accounts, type PasswordCredentials, refused } from "./accounts.ts";
import { unlimitedGrant } from "./authenticator.ts";
import { openBcrypt } from "./bcrypt.ts";
import { createPasswordFile, nobodysHash, readPasswordFile } from "./htpasswd-file.ts";
import type { HtpasswdOptions } from "./htpasswd-options.ts";
import type { LoginLimit } from "./login-limit.ts";
import { rereadFile } from "./reread-file.ts";
import { VerifiedCredentials } from "./verified-credentials.ts";

export interface AccountParts {
  clock: Clock;
  logger: Logger;
  limit: LoginLimit;
  /** Without rules, whoever has an account may do everything. */
  rules: AccessRules | undefined;
}

const checkTimeoutMs = 60_000;

/**
 * Users and passwords of an htpasswd file, which is read again when it changes.
 *
 * @throws {AuthError} `UNAVAILABLE` when there is no such file and none can be made
 */
export async function openHtpasswd(
  { path }: Pick<HtpasswdOptions, "path">,
  { clock, logger, limit, rules }: AccountParts,
  call: Call,
): Promise<Accounts> {
  const bcrypt = openBcrypt();
  const verified = new VerifiedCredentials(clock);
  const file = rereadFile([path], read, clock);
  try {
    await createPasswordFile(path, { bcrypt, logger }, call);
    await file.current();
  } catch (error) {
    await bcrypt.close();
    throw error;
  }

  return {
    isFor: async ({ user }) => (await file.current()).hashOf(user) !== undefined,

    async logIn(credentials, address, call) {
      const { user } = credentials;
      const attempt = { address, user };
      limit.check(attempt);
      const hash = await rightHash(credentials, address, call);
      if (hash !== undefined) return accountOf(user, hash);
      logger.warn("login failed", attempt);
      throw refused();
    },

    async find({ user }) {
      const hash = (await file.current()).hashOf(user);
      return hash === undefined ? undefined : accountOf(user, hash);
    },

    close: () => bcrypt.close(),
  };

  function accountOf(user: string, hash: string): Account {
    const credential = createHash("sha256").update(hash).digest("base64url").slice(0, 22);
    return { user, grant: rules?.grantTo({ user }) ?? unlimitedGrant(user), credential };
  }

  /** The hash that the password belongs to. */
  async function rightHash(
    { user, password: secret }: PasswordCredentials,
    address: string,
    call: Call,
  ): Promise<string | undefined> {
    const { hashOf, cost } = await file.current();
    const known = hashOf(user);
    const password = secret.reveal();
    // For a user that does not exist as well: how long it takes must not tell.
    const hash = known ?? nobodysHash(cost);
    const verify = () =>
      withTimeout("checking a password", checkTimeoutMs, call, (call) =>
        bcrypt.verify(password, hash, call),
      );
    const isRight = await verified.isRight({ user, password, hash }, () =>
      limit.counted({ address, user }, verify),
    );
    return isRight ? known : undefined;
  }

  async function read() {
    const content = await readPasswordFile(path);
    for (const { line, reason } of content.problems) {
      logger.warn("a line of the htpasswd file was passed over", { path, line, reason });
    }
    return content;
  }
}
