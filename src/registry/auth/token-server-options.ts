import * as v from "valibot";
import { parseDuration } from "../../base/schema.ts";
import { YesOrNo } from "../config-values.ts";
import { ChallengeText, FilePath } from "./options.ts";

/** Where the tokens are, below the prefix that is configured. */
export const tokenPath = "/auth/token";

const minuteMs = 60_000;
const dayMs = 1_440 * minuteMs;
/** For those who set no other one. */
export const longestLifetimeMs = 36_525 * dayMs;

const Lifetime = v.pipe(
  v.string("write a duration such as 5m"),
  v.transform(parseDuration),
  v.number("write a duration such as 5m"),
  v.minValue(minuteMs, "write a duration of at least 1m, which is what clients take for granted"),
);

/** `auth.tokenserver`, which is our own. */
export const TokenServerOptions = v.strictObject({
  enabled: v.optional(YesOrNo, true),
  issuer: v.optional(ChallengeText, "dewy"),
  service: v.optional(ChallengeText, "dewy"),
  /** Beside the htpasswd file, where it is not said and there is one. */
  key: v.optional(FilePath),
  expiry: v.optional(v.pipe(Lifetime, v.maxValue(dayMs, "write a duration of at most 24h")), "5m"),
  /** Without it, what a `docker login` has stored is good for as long as the password is. */
  refreshexpiry: v.optional(
    v.pipe(Lifetime, v.maxValue(longestLifetimeMs, "write a duration of at most 100 years")),
  ),
});
export type TokenServerOptions = v.InferOutput<typeof TokenServerOptions>;
