import type { Call } from "../../base/call.ts";
import { DewyError } from "../../base/errors.ts";
import type { Challenge } from "../../oci/challenge.ts";
import {
  AuthError,
  type Authenticator,
  type ChallengeReason,
  type Credentials,
  type Grant,
  unlimitedGrant,
  type Visit,
  type Wish,
} from "./authenticator.ts";
import type { TokenServer } from "./token-server.ts";

/** Where every request is let in, or not. */
export interface Gate {
  /**
   * Resolves to what the visitor may do, which is all that it wishes and maybe more.
   *
   * @throws {Challenged} when it may log in, or log in again
   * @throws {AuthError} `DENIED`, `TOO_MANY_FAILURES`, `UNAVAILABLE`
   */
  admit(visit: Visit, call: Call): Promise<Grant>;
  /** Where this registry hands out tokens itself. */
  readonly tokens?: TokenServer | undefined;
  close(): Promise<void>;
}

export interface GateOptions {
  /** What those may do who do not log in; nothing, where it is not said. */
  anonymous: Grant | undefined;
  tokens?: TokenServer | undefined;
}

/** A visitor that is told how to get in. */
export class Challenged extends DewyError<ChallengeReason> {
  readonly challenge: Challenge;
  readonly wishes: readonly Wish[];

  constructor(reason: ChallengeReason, challenge: Challenge, wishes: readonly Wish[]) {
    super(reason, "authentication required");
    this.challenge = challenge;
    this.wishes = wishes;
  }
}

/** Lets everybody in. */
export const openGate: Gate = {
  admit: async () => unlimitedGrant(undefined),
  close: async () => {},
};

/** A gate at which `authenticator` says who comes, and what for. */
export function gateOf(authenticator: Authenticator, { anonymous, tokens }: GateOptions): Gate {
  return {
    tokens,

    async admit(visit, call) {
      const { credentials, wishes } = visit;
      if (credentials === undefined) return unknown(visit);
      const grant = await identified(credentials, visit, call);
      if (wishes.every((wish) => grant.allows(wish))) return grant;
      // Another token may do, whereas a password is always for all that its user may.
      if (credentials.scheme === "bearer") throw challenged(visit, "CREDENTIALS_INSUFFICIENT");
      throw new AuthError("DENIED", "requested access to the resource is denied");
    },

    close: () => authenticator.close(),
  };

  /** Clients ask without a wish to learn how to log in: those that may do something must hear it, too. */
  function unknown(visit: Visit): Grant {
    const { wishes } = visit;
    const mayDoAll = wishes.length > 0 && wishes.every((wish) => anonymous?.allows(wish));
    if (anonymous && mayDoAll) return anonymous;
    throw challenged(visit, "CREDENTIALS_NEEDED");
  }

  async function identified(credentials: Credentials, visit: Visit, call: Call): Promise<Grant> {
    try {
      return await authenticator.identify(credentials, visit, call);
    } catch (error) {
      if (!(error instanceof AuthError && error.code === "CREDENTIALS_REFUSED")) throw error;
      throw challenged(visit, error.code);
    }
  }

  function challenged(visit: Visit, reason: ChallengeReason): Challenged {
    return new Challenged(reason, authenticator.challenge(visit, reason), visit.wishes);
  }
}
