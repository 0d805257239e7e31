import * as v from "valibot";
import { FilePath } from "./options.ts";

/** `auth.robots`, which is our own: what `dewy registry token` works on. */
export const RobotOptions = v.strictObject({
  /** A directory; beside the htpasswd file, where it is not said and there is one. */
  path: v.optional(FilePath),
});
export type RobotOptions = v.InferOutput<typeof RobotOptions>;
