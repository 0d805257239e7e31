import type { Call } from "../../base/call.ts";
import { DewyError } from "../../base/errors.ts";
import type { Challenge } from "../../oci/challenge.ts";
import type { AccessRules } from "./access-rules.ts";
import {
  AuthError,
  type Authenticator,
  type ChallengeReason,
  type Grant,
  unlimitedGrant,
  type Visit,
  type Wish,
} from "./authenticator.ts";

/** Where every request is let in, or not. */
export interface Gate {
  /**
   * Resolves to what the visitor may do, which is all that it wishes and maybe more.
   *
   * @throws {Challenged} when it may log in, or log in again
   * @throws {AuthError} `DENIED`, `TOO_MANY_FAILURES`, `UNAVAILABLE`
   */
  admit(visit: Visit, call: Call): Promise<Grant>;
  close(): Promise<void>;
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

/** A gate at which `authenticator` says who comes, and `rules`, where there are any, what for. */
export function gateOf(authenticator: Authenticator, rules: AccessRules | undefined): Gate {
  return {
    async admit(visit, call) {
      const { credentials, wishes } = visit;
      if (credentials === undefined) return anonymous(visit);
      const grant = await identified(visit, call);
      if (wishes.every((wish) => grant.allows(wish))) return grant;
      if (authenticator.shortfall === "DENIED") {
        throw new AuthError("DENIED", "requested access to the resource is denied");
      }
      throw challenged(visit, authenticator.shortfall);
    },

    close: () => authenticator.close(),
  };

  /** Clients ask without a wish to learn how to log in: those that may do something must hear it, too. */
  function anonymous(visit: Visit): Grant {
    const grant = rules?.grantTo(undefined);
    const { wishes } = visit;
    if (grant && wishes.length > 0 && wishes.every((wish) => grant.allows(wish))) return grant;
    throw challenged(visit, "CREDENTIALS_NEEDED");
  }

  async function identified(visit: Visit, call: Call): Promise<Grant> {
    try {
      const { credentials } = visit;
      if (credentials === undefined) throw challenged(visit, "CREDENTIALS_NEEDED");
      const grant = await authenticator.identify(credentials, visit, call);
      return rules && grant.user !== undefined ? rules.grantTo(grant.user) : grant;
    } catch (error) {
      if (!(error instanceof AuthError && error.code === "CREDENTIALS_REFUSED")) throw error;
      throw challenged(visit, error.code);
    }
  }

  function challenged(visit: Visit, reason: ChallengeReason): Challenged {
    return new Challenged(reason, authenticator.challenge(visit, reason), visit.wishes);
  }
}
