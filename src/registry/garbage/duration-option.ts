import * as v from "valibot";
import { parseDuration } from "../../base/schema.ts";

const longestMs = 3_650 * 86_400_000;

/** As Distribution reads it: Go's notation, or a bare number of nanoseconds. In milliseconds. */
export function duration(minimumMs: number, minimum: string) {
  return v.pipe(
    v.union([v.string(), v.number()], "write a duration such as 30m or 24h"),
    v.transform((value) => (typeof value === "number" ? value / 1e6 : parseDuration(value))),
    v.number("write a duration such as 30m or 24h"),
    v.minValue(minimumMs, `write a duration of at least ${minimum}`),
    v.maxValue(longestMs, "write a duration of at most ten years"),
  );
}
