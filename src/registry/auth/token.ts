import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import {
  AuthError,
  type Authenticator,
  type ChallengeReason,
  type Grant,
  type Visit,
} from "./authenticator.ts";
import { rereadFile } from "./reread-file.ts";
import { scopeOf } from "./scope.ts";
import { readTokenKeys } from "./token-keys.ts";
import type { TokenOptions } from "./token-options.ts";
import { type ReadToken, tokenReader } from "./token-reader.ts";

/**
 * JSON Web Tokens of a token server, whose keys are read again when their files change.
 *
 * @throws {AuthError} `UNAVAILABLE` when the keys cannot be used
 */
export async function openToken(
  options: TokenOptions,
  { clock, logger }: { clock: Clock; logger: Logger },
): Promise<Authenticator> {
  const { issuer, service, rootcertbundle, jwks, signingalgorithms: algorithms } = options;
  const files = [rootcertbundle, jwks].filter((path) => path !== undefined);
  const file = rereadFile(files, () => readTokenKeys({ rootcertbundle, jwks }), clock);
  await file.current();
  const rules = { issuer, service, algorithms, clock };
  const read = tokenReader(() => file.current(), rules, logger);

  return {
    async identify(credentials, { address }) {
      if (credentials.scheme !== "bearer") {
        throw new AuthError("CREDENTIALS_REFUSED", "a token is required");
      }
      return grantOf(await read(credentials.token, address));
    },

    challenge: (visit, reason) => ({ scheme: "bearer", parameters: parametersOf(visit, reason) }),
    close: async () => {},
  };

  function parametersOf(visit: Visit, reason: ChallengeReason) {
    const { autoredirect, autoredirectpath, realm } = options;
    const origin = autoredirect ? visit.origin() : undefined;
    return tokenParameters(
      { realm: origin === undefined ? realm : `${origin}${autoredirectpath}`, service },
      visit,
      reason,
    );
  }
}

/** What a challenge for a token says. RFC 6750, section 3: an error only for what was shown. */
export function tokenParameters(
  { realm, service }: { realm: string; service: string },
  { wishes, credentials }: Visit,
  reason: ChallengeReason,
) {
  const isTooSmall = reason === "CREDENTIALS_INSUFFICIENT";
  const error = isTooSmall ? "insufficient_scope" : "invalid_token";
  const isShown = isTooSmall || credentials?.scheme === "bearer";
  return { realm, service, scope: scopeOf(wishes), error: isShown ? error : undefined };
}

/** What the token says itself; its server has decided already. */
function grantOf({ subject, allows }: ReadToken): Grant {
  const user = subject === "" ? undefined : subject;
  return { user, reach: "some", lists: () => true, allows };
}
