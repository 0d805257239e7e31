import * as v from "valibot";
import { ConfigError } from "./errors.ts";

const unitMs: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds in a duration as Go writes it (`1h30m`, `250ms`); `undefined` when it is none. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d))+$/.test(text)) return undefined;
  let ms = 0;
  for (const [, count = "", unit = ""] of text.matchAll(/([\d.]+)([a-zµ]+)/g)) {
    ms += Number(count) * (unitMs[unit] ?? 0);
  }
  return Number.isFinite(ms) ? ms : undefined;
}

/** A duration, or a plain count of seconds: `10` and `10s` are the same. In milliseconds. */
export const Seconds = v.pipe(
  v.string(),
  v.transform((text) => parseDuration(/^\d+(\.\d+)?$/.test(text) ? `${text}s` : text)),
  v.number("write seconds, such as 10, or a duration, such as 1m30s"),
);

const unitBytes: Record<string, number> = {
  "": 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
};

/** How many bytes, in units of 1024: `512MiB`, `10GiB`, or a plain number. */
export const ByteCount = v.pipe(
  v.string(),
  v.transform((text) => {
    const [, count, unit = ""] = /^(\d+(?:\.\d+)?)(?:([kmgt])i?b?|b)?$/i.exec(text) ?? [];
    const bytes = Number(count) * (unitBytes[unit.toLowerCase()] ?? 1);
    return Number.isSafeInteger(Math.round(bytes)) ? Math.round(bytes) : undefined;
  }),
  v.number("write a size, such as 512MiB or 10GiB"),
);

/** `true` or `false`, as people write it in a query string. */
export const YesOrNo = v.pipe(
  v.picklist(["true", "1", "on", "yes", "false", "0", "off", "no"], "write true or false"),
  v.transform((text) => ["true", "1", "on", "yes"].includes(text)),
);

/** Checks `value` against `schema`. @throws {ConfigError} naming everything that is wrong with it. */
export function parse<const S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  place: (path: string) => string = (path) => path || "(top level)",
): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  throw new ConfigError(
    result.issues
      .map((issue) => `${place(v.getDotPath(issue) ?? "")}: ${sentenceOf(issue)}`)
      .join("; "),
  );
}

function sentenceOf(issue: v.BaseIssue<unknown>): string {
  if (issue.type === "strict_object" && issue.expected === "never") return "there is no such key";
  if (issue.type.endsWith("object") && issue.received === "undefined") return "is missing";
  return issue.message;
}
