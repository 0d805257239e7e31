import * as v from "valibot";
import { parseDuration } from "../base/schema.ts";

/** What several sections of `config.yml` are made of. */

/** Words that YAML 1.1 has for true and false, and Distribution's parser still takes. */
const olderWords = { y: true, yes: true, on: true, n: false, no: false, off: false } as const;

export const YesOrNo = v.pipe(
  v.unknown(),
  v.transform((value) => (typeof value === "string" ? meantBy(value) : value)),
  v.boolean("write true or false"),
);

function meantBy(word: string): unknown {
  const isOneCase = /^(?:[a-z]+|[A-Z][a-z]*|[A-Z]+)$/.test(word);
  return isOneCase ? (olderWords[word.toLowerCase() as keyof typeof olderWords] ?? word) : word;
}

export const Text = v.pipe(v.string("write a text"), v.nonEmpty("write a text"));

export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER) {
  return v.pipe(
    v.number("write a number"),
    v.integer("write a whole number"),
    v.minValue(least, `write a number of at least ${least}`),
    v.maxValue(most, `write a number of at most ${most}`),
  );
}

/**
 * As Distribution reads it: Go's notation, or a bare number of nanoseconds. In milliseconds, and
 * never so short that whoever waits for it does nothing else.
 */
export function duration(limits: { leastMs: number; mostMs: number }) {
  const { leastMs, mostMs } = limits;
  return v.pipe(
    v.union([v.string(), v.number()], "write a duration such as 30s or 1h30m"),
    v.transform((value) => (typeof value === "number" ? value / 1e6 : parseDuration(value))),
    v.number("write a duration such as 30s or 1h30m"),
    v.minValue(leastMs, `write a duration of at least ${leastMs}ms`),
    v.maxValue(mostMs, `write a duration of at most ${mostMs / 1000}s`),
  );
}

/** An http or https URL; it may carry a user and password, so it is not to be shown whole. */
export const HttpUrl = v.pipe(
  v.string("write it as https://host/path"),
  v.check(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    "write it as https://host/path",
  ),
);

export const HeaderName = v.pipe(
  v.string(),
  v.regex(/^[\w!#$%&'*+.^`|~-]+$/, "this is not the name of a header"),
  v.regex(
    /^(?!(?:content-length|content-type|transfer-encoding|connection|host)$)/i,
    "this header is set by what it describes",
  ),
);

const HeaderValue = v.pipe(
  v.string("write a list of texts"),
  v.regex(/^[\t\x20-\x7e]*$/, "a header is one line of ASCII"),
);

/** What a request of ours carries; each name with a list, as Distribution has it, or with a text. */
export const RequestHeaders = v.record(
  HeaderName,
  v.union(
    [
      v.array(HeaderValue),
      v.pipe(
        HeaderValue,
        v.transform((one) => [one]),
      ),
    ],
    "write a list of texts",
  ),
);
