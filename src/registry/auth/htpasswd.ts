import * as v from "valibot";
import { type Call, withTimeout } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import {
  AuthError,
  type Authenticator,
  type Credentials,
  unlimitedGrant,
  type Visit,
} from "./authenticator.ts";
import { openBcrypt } from "./bcrypt.ts";
import { createPasswordFile, nobodysHash, readPasswordFile } from "./htpasswd-file.ts";
import { LoginLimit, type LoginLimitOptions } from "./login-limit.ts";
import { ChallengeText, FilePath } from "./options.ts";
import { rereadFile } from "./reread-file.ts";
import { VerifiedCredentials } from "./verified-credentials.ts";

export const HtpasswdOptions = v.strictObject({ realm: ChallengeText, path: FilePath });
export type HtpasswdOptions = v.InferOutput<typeof HtpasswdOptions>;

export interface HtpasswdParts {
  clock: Clock;
  logger: Logger;
  failedLogins: LoginLimitOptions;
}

const checkTimeoutMs = 60_000;

/**
 * Users and passwords of an htpasswd file, which is read again when it changes.
 *
 * @throws {AuthError} `UNAVAILABLE` when there is no such file and none can be made
 */
export async function openHtpasswd(
  { realm, path }: HtpasswdOptions,
  { clock, logger, failedLogins }: HtpasswdParts,
  call: Call,
): Promise<Authenticator> {
  const bcrypt = openBcrypt();
  const limit = new LoginLimit(failedLogins, clock);
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
    shortfall: "DENIED",
    challenge: () => ({ scheme: "basic", parameters: { realm } }),

    async identify(credentials, { address }, call) {
      if (credentials.scheme !== "basic") throw refused();
      const attempt = { address, user: credentials.user };
      limit.check(attempt);
      const isRight = await isPasswordOf(credentials, address, call);
      if (isRight) return unlimitedGrant(credentials.user);
      logger.warn("login failed", attempt);
      throw refused();
    },

    close: () => bcrypt.close(),
  };

  async function isPasswordOf(
    { user, password: secret }: Extract<Credentials, { scheme: "basic" }>,
    address: Visit["address"],
    call: Call,
  ): Promise<boolean> {
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
    return isRight && known !== undefined;
  }

  async function read() {
    const content = await readPasswordFile(path);
    for (const { line, reason } of content.problems) {
      logger.warn("a line of the htpasswd file was passed over", { path, line, reason });
    }
    return content;
  }
}

function refused(): AuthError {
  return new AuthError("CREDENTIALS_REFUSED", "authentication required");
}
