import * as v from "valibot";

/** A line that an app has written, as it is kept. */
export const OutputEntry = v.object({
  at: v.pipe(v.string(), v.isoTimestamp()),
  stream: v.picklist(["stdout", "stderr"]),
  generation: v.number(),
  /** Unknown where the ledger was lost. */
  tag: v.optional(v.string()),
  text: v.string(),
});
export type OutputEntry = v.InferOutput<typeof OutputEntry>;
export type OutputStream = OutputEntry["stream"];

/** What is longer is cut. */
export const longestText = 8_192;
