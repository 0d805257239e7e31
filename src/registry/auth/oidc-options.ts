import * as v from "valibot";
import { duration } from "../config-values.ts";
import { FilePath } from "./options.ts";

const Text = v.pipe(v.string("write a text"), v.nonEmpty("write a text"));
const issuerForm = "write it as https://host/path, as the tokens have it in iss";

const Issuer = v.pipe(
  v.string(issuerForm),
  v.check((text) => isTrustedUrl(text) && !/[?#]/.test(text), issuerForm),
);

/** What is fetched from there is believed, so nobody may be able to change it on its way. */
export function isTrustedUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  const isHere = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
  const isSafe = protocol === "https:" || (protocol === "http:" && isHere);
  return isSafe && username + password === "";
}

/** One provider of `auth.oidc`, which is our own. */
export const OidcProvider = v.strictObject({
  issuer: Issuer,
  /** Whom its tokens are for; one of these. */
  audience: v.pipe(
    v.union([Text, v.array(Text)], "write a text, or a list of texts"),
    v.transform((given) => [given].flat()),
    v.minLength(1, "name whom the tokens are for"),
  ),
  /** What users are called: a claim, or one within another, such as `profile.name`. */
  usernameclaim: v.optional(Text, "sub"),
  /** Before each name, so that it is nobody else's. */
  usernameprefix: v.optional(v.string("write a text"), ""),
  groupsclaim: v.optional(Text),
  /** Without these, a token is refused; `*` stands for any letters but `/`, `**` for any at all. */
  requiredclaims: v.optional(v.record(Text, Text), {}),
  clocktolerance: v.optional(duration({ leastMs: 0, mostMs: 600_000 }), "60s"),
  /** Whom to trust; without it, whom the system trusts. */
  ca: v.optional(FilePath),
  timeout: v.optional(duration({ leastMs: 100, mostMs: 60_000 }), "10s"),
});
export type OidcProvider = v.InferOutput<typeof OidcProvider>;

export const OidcOptions = v.pipe(
  v.array(OidcProvider, "write a list of providers, each with an issuer and an audience"),
  v.minLength(1, "name a provider, or leave it out"),
  v.check(
    (providers) => new Set(providers.map(({ issuer }) => issuer)).size === providers.length,
    "name each issuer once",
  ),
);
export type OidcOptions = v.InferOutput<typeof OidcOptions>;
