import * as v from "valibot";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import {
  AuthError,
  type Authenticator,
  type ChallengeReason,
  type Grant,
  type Visit,
} from "./authenticator.ts";
import { ChallengeText, FilePath } from "./options.ts";
import { rereadFile } from "./reread-file.ts";
import { scopeOf } from "./scope.ts";
import { readTokenKeys } from "./token-keys.ts";
import { type ReadToken, tokenReader } from "./token-reader.ts";
import { tokenAlgorithms } from "./token-verifier.ts";

export const TokenOptions = v.pipe(
  v.strictObject({
    realm: ChallengeText,
    service: ChallengeText,
    issuer: v.pipe(v.string("write a text"), v.nonEmpty("write a text")),
    rootcertbundle: v.optional(FilePath),
    jwks: v.optional(FilePath),
    signingalgorithms: v.optional(
      v.pipe(
        v.array(v.picklist(tokenAlgorithms), "write a list, such as [ES256, RS256]"),
        v.minLength(1, "write a list, such as [ES256, RS256]"),
      ),
      [...tokenAlgorithms],
    ),
    autoredirect: v.optional(v.boolean("write true or false"), false),
    autoredirectpath: v.optional(
      v.pipe(v.string("write it as /path"), v.regex(/^\/[\x21-\x7e]*$/, "write it as /path")),
      "/auth/token",
    ),
  }),
  v.check(
    ({ rootcertbundle, jwks }) => rootcertbundle !== undefined || jwks !== undefined,
    "name the keys that sign tokens: rootcertbundle or jwks",
  ),
);
export type TokenOptions = v.InferOutput<typeof TokenOptions>;

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
