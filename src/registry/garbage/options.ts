import * as v from "valibot";
import { YesOrNo } from "../config-values.ts";
import { duration } from "./duration-option.ts";
import { RetentionOptions } from "./retention-options.ts";

/** `storage.maintenance.uploadpurging`, with Distribution's defaults. */
export const UploadPurgingOptions = v.strictObject({
  enabled: v.optional(YesOrNo, true),
  /** Since an upload began, or last got a byte. */
  age: v.optional(duration(60_000, "1m"), "168h"),
  interval: v.optional(duration(60_000, "1m"), "24h"),
  dryrun: v.optional(YesOrNo, false),
});
export type UploadPurgingOptions = v.InferOutput<typeof UploadPurgingOptions>;

/** `storage.maintenance.garbagecollect`, which only this registry knows. */
export const GarbageCollectOptions = v.strictObject({
  /** Whether the serving registry collects by itself. The rest is for the command as well. */
  enabled: v.optional(YesOrNo, false),
  interval: v.optional(duration(1_000, "1s"), "24h"),
  /** How long what nothing names stays after its last use. */
  grace: v.optional(duration(0, "0s"), "1h"),
  /** How long what was collected can be brought back. */
  trash: v.optional(duration(0, "0s"), "24h"),
  deleteuntagged: v.optional(YesOrNo, false),
  dryrun: v.optional(YesOrNo, false),
});
export type GarbageCollectOptions = v.InferOutput<typeof GarbageCollectOptions>;

/** `storage.maintenance.scrub`, which only this registry knows. */
export const ScrubOptions = v.strictObject({
  /** Whether the serving registry scrubs by itself. */
  enabled: v.optional(YesOrNo, false),
  /** Since all was last read. */
  interval: v.optional(duration(1_000, "1s"), "168h"),
  /** Whether what is rotten is set aside, for the next push to bring it again. */
  setaside: v.optional(YesOrNo, false),
});
export type ScrubOptions = v.InferOutput<typeof ScrubOptions>;

/** The keys that this part adds to `storage.maintenance`. */
export const maintenanceEntries = {
  uploadpurging: v.optional(UploadPurgingOptions, {}),
  garbagecollect: v.optional(GarbageCollectOptions, {}),
  retention: v.optional(RetentionOptions, {}),
  scrub: v.optional(ScrubOptions, {}),
};
