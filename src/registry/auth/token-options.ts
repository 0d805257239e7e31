import * as v from "valibot";
import { YesOrNo } from "../config-values.ts";
import { ChallengeText, FilePath } from "./options.ts";

/** What a token may be signed with, unless `signingalgorithms` says otherwise. */
export const tokenAlgorithms = [
  ...["EdDSA", "ES256", "ES384", "ES512"],
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["HS256", "HS384", "HS512"],
] as const;
export type TokenAlgorithm = (typeof tokenAlgorithms)[number];

/** `auth.token` of the configuration. */
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
    autoredirect: v.optional(YesOrNo, false),
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
