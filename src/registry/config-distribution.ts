import * as v from "valibot";
import { wholeNumber, YesOrNo } from "./config-values.ts";

/**
 * Keys of Distribution, of version 2 or 3, that old files have and that have no effect here: see
 * `config-notes.ts`. Where leaving one out of account would change who may do what, or where
 * something is kept, it is refused.
 */

const Anything = v.record(v.string(), v.unknown());

/** Taken where it asks for nothing. */
function refused(sentence: string) {
  return v.optional(
    v.pipe(
      v.unknown(),
      v.check((value) => !asksForSomething(value), sentence),
    ),
  );
}

/** Whether a value of the file is there and not switched off. */
export function asksForSomething(value: unknown): boolean {
  if (typeof value !== "object" || value === null) {
    return value !== undefined && value !== null && value !== false && value !== "";
  }
  const { enabled, disabled } = value as { enabled?: unknown; disabled?: unknown };
  if (enabled === false || disabled === true) return false;
  return Object.values(value).some(asksForSomething);
}

const bucket = "this registry keeps its data in a directory: set storage.filesystem.rootdirectory";

export const foreignDrivers = {
  s3: refused(bucket),
  azure: refused(bucket),
  gcs: refused(bucket),
  swift: refused(bucket),
  oss: refused(bucket),
};

export const TagOptions = v.strictObject({ concurrencylimit: v.optional(wholeNumber(0)) });

/** They send clients elsewhere for blobs, which may as well come from here. */
const sendersElsewhere = ["cloudfront", "redirect", "rewrite"];

const StorageMiddleware = v.pipe(
  v.looseObject({ name: v.string("write a text") }),
  v.check(
    (entry) => sendersElsewhere.includes(entry.name) || entry.disabled === true,
    `this registry has no plugins; it knows ${sendersElsewhere.join(", ")}, and serves blobs itself instead`,
  ),
);

const plugins =
  "this registry has no plugins: leave it out, and say in auth.access who may do what";

export const Middleware = v.strictObject({
  registry: refused(plugins),
  repository: refused(plugins),
  storage: v.optional(v.array(StorageMiddleware, "write a list")),
});

export const H2c = v.strictObject({ enabled: v.optional(YesOrNo, false) });

export const Reporting = v.strictObject({
  bugsnag: v.optional(Anything),
  newrelic: v.optional(Anything),
});

export const Compatibility = v.strictObject({
  schema1: v.optional(
    v.strictObject({
      enabled: v.optional(YesOrNo, false),
      signingkeyfile: v.optional(v.string("write the path of a file")),
    }),
  ),
});

export const Policy = v.strictObject({
  repository: v.optional(
    v.strictObject({
      classes: refused(
        "this registry takes images and plugins alike: leave policy out, and say in auth.access who may push where",
      ),
    }),
  ),
});

/** As Distribution reads it, `storage: inmemory` is short for a mapping, and so is `auth`. */
export function withKinds(document: unknown): unknown {
  if (typeof document !== "object" || document === null || Array.isArray(document)) return document;
  return Object.fromEntries(
    Object.entries(document).map(([key, inside]) => {
      const isShort = ["auth", "storage"].includes(key) && typeof inside === "string";
      return [key, isShort ? { [inside]: {} } : inside];
    }),
  );
}

/** By its name alone a driver is chosen. */
const keptWhenEmpty = ["auth", "storage.filesystem", "storage.inmemory"];

/** Go takes a key without a value for one that is not there. Who is let in is not guessed. */
export function withoutEmpty(value: unknown, path: readonly string[] = []): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const [first, second] = path;
  if (first === "auth" || (first === "log" && second === "fields")) return value;
  const isKept = (key: string) => keptWhenEmpty.includes([...path, key].join("."));
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, inside]) => inside !== null || isKept(key))
      .map(([key, inside]) => [key, withoutEmpty(inside, [...path, key])]),
  );
}
