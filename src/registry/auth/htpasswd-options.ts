import * as v from "valibot";
import { ChallengeText, FilePath } from "./options.ts";

/** `auth.htpasswd` of the configuration. */
export const HtpasswdOptions = v.strictObject({ realm: ChallengeText, path: FilePath });
export type HtpasswdOptions = v.InferOutput<typeof HtpasswdOptions>;
