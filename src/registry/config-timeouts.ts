import * as v from "valibot";
import { parseDuration } from "../base/schema.ts";

const [shortestMs, longestMs] = [1_000, 86_400_000];
const longest = "write a duration of at most 24h";
const form = "write a duration such as 30s or 10m";

const Timeout = v.pipe(
  v.string(form),
  v.transform(parseDuration),
  v.number(form),
  v.minValue(shortestMs, "write a duration of at least 1s"),
  v.maxValue(longestMs, longest),
);

const formOrNone = `${form}, or 0 for no limit`;

/** 0 for no limit: nobody can tell a client that is gone from a proxy that takes its time. */
const TimeoutOrNone = v.pipe(
  v.union([v.string(), v.number()], formOrNone),
  v.transform((value) => (String(value) === "0" ? 0 : parseDuration(String(value)))),
  v.number(formOrNone),
  v.check((ms) => ms === 0 || ms >= shortestMs, "write a duration of at least 1s, or 0"),
  v.maxValue(longestMs, longest),
);

/** `http.timeouts`, which only this registry knows: when connections end that lead nowhere. */
export const Timeouts = v.strictObject({
  /** Until a connection has said what it wants, handshake included. */
  head: v.optional(Timeout, "30s"),
  /** Between requests. */
  idle: v.optional(Timeout, "75s"),
  /** In which nothing worth speaking of comes or goes of a request and its answer. */
  stall: v.optional(TimeoutOrNone, "10m"),
});
