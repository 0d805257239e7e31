import { createHash } from "node:crypto";
import * as v from "valibot";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import {
  AuthError,
  type Authenticator,
  type ChallengeReason,
  type Grant,
  type Visit,
  type Wish,
} from "./authenticator.ts";
import { ChallengeText, FilePath } from "./options.ts";
import { rereadFile } from "./reread-file.ts";
import { scopeOf } from "./scope.ts";
import { readTokenKeys, type TokenKeys } from "./token-keys.ts";
import { tokenAlgorithms, type VerifiedToken, verifyToken } from "./token-verifier.ts";

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

const maximumRemembered = 4_096;

/**
 * JSON Web Tokens of a token server, whose keys are read again when their files change. A token that
 * was found to be good is remembered until it ends or the keys change.
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
  const rules = { issuer, service, algorithms, clock };
  let remembered = new Map<string, { grant: Grant; expiresAtMs: number }>();
  let rememberedFor = await file.current();

  return {
    shortfall: "CREDENTIALS_INSUFFICIENT",

    async identify(credentials, { address }, _call: Call) {
      if (credentials.scheme !== "bearer") {
        throw new AuthError("CREDENTIALS_REFUSED", "a token is required");
      }
      const keys = await file.current();
      if (keys !== rememberedFor) remembered = new Map();
      rememberedFor = keys;
      const token = credentials.token.reveal();
      const name = createHash("sha256").update(token).digest("base64");
      const known = remembered.get(name);
      if (known && known.expiresAtMs > clock.now().getTime()) return known.grant;
      return remember(name, await verified(token, keys, address));
    },

    challenge: (visit, reason) => ({ scheme: "bearer", parameters: parametersOf(visit, reason) }),
    close: async () => {},
  };

  async function verified(token: string, keys: TokenKeys, address: string): Promise<VerifiedToken> {
    try {
      return await verifyToken(token, keys, rules);
    } catch (error) {
      // Not the error itself: its cause may hold the claims.
      const reason = error instanceof Error ? error.message : "unknown";
      logger.info("a token was refused", { reason, address });
      throw new AuthError("CREDENTIALS_REFUSED", "the token is not valid");
    }
  }

  function remember(name: string, token: VerifiedToken): Grant {
    const [oldest] = remembered.keys();
    if (remembered.size >= maximumRemembered && oldest !== undefined) remembered.delete(oldest);
    const grant = grantOf(token);
    remembered.set(name, { grant, expiresAtMs: token.expiresAtMs });
    return grant;
  }

  /** RFC 6750, section 3: an error only for somebody who has shown something. */
  function parametersOf(visit: Visit, reason: ChallengeReason) {
    const { autoredirect, autoredirectpath, realm } = options;
    const origin = autoredirect ? visit.origin() : undefined;
    return {
      realm: origin === undefined ? realm : `${origin}${autoredirectpath}`,
      service,
      scope: scopeOf(visit.wishes),
      error: errorFor(visit, reason),
    };
  }
}

function errorFor({ credentials }: Visit, reason: ChallengeReason): string | undefined {
  if (reason === "CREDENTIALS_INSUFFICIENT") return "insufficient_scope";
  return credentials?.scheme === "bearer" ? "invalid_token" : undefined;
}

/** What the token says itself; its server has decided already. */
function grantOf({ subject, access }: VerifiedToken): Grant {
  const actions = new Map<string, Set<string>>();
  for (const { type, name, actions: allowed } of access) {
    const resource = `${type}:${name}`;
    actions.set(resource, new Set([...(actions.get(resource) ?? []), ...allowed]));
  }
  return {
    user: subject === "" ? undefined : subject,
    reach: "some",
    lists: () => true,
    allows({ type, name, action }: Wish) {
      const allowed = actions.get(`${type}:${name}`);
      return allowed !== undefined && (allowed.has(action) || allowed.has("*"));
    },
  };
}
