import * as v from "valibot";
import { parseDuration } from "../base/schema.ts";

const form = "write a duration such as 30s or 10m";

const Timeout = v.pipe(
  v.string(form),
  v.transform(parseDuration),
  v.number(form),
  v.minValue(1_000, "write a duration of at least 1s"),
  v.maxValue(86_400_000, "write a duration of at most 24h"),
);

/** `http.timeouts`, which only this registry knows: when connections end that lead nowhere. */
export const Timeouts = v.strictObject({
  /** Until a connection has said what it wants, handshake included. */
  head: v.optional(Timeout, "30s"),
  /** Between requests. */
  idle: v.optional(Timeout, "75s"),
  /** In which nothing worth speaking of comes or goes of a request and its answer. */
  stall: v.optional(Timeout, "10m"),
});
