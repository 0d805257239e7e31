import * as v from "valibot";
import { parseDuration } from "../../base/schema.ts";

const YesOrNo = v.boolean("write true or false");
const longestMs = 3_650 * 86_400_000;

/** As Distribution reads it: Go's notation, or a bare number of nanoseconds. In milliseconds. */
function duration(minimumMs: number, minimum: string) {
  return v.pipe(
    v.union([v.string(), v.number()], "write a duration such as 30m or 24h"),
    v.transform((value) => (typeof value === "number" ? value / 1e6 : parseDuration(value))),
    v.number("write a duration such as 30m or 24h"),
    v.minValue(minimumMs, `write a duration of at least ${minimum}`),
    v.maxValue(longestMs, "write a duration of at most ten years"),
  );
}

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

/** The keys that this part adds to `storage.maintenance`. */
export const maintenanceEntries = {
  uploadpurging: v.optional(UploadPurgingOptions, {}),
  garbagecollect: v.optional(GarbageCollectOptions, {}),
};
