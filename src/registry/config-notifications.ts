import * as v from "valibot";
import { ByteCount } from "../base/schema.ts";
import { Secret } from "../base/secret.ts";
import { duration, HttpUrl, RequestHeaders, Text, wholeNumber, YesOrNo } from "./config-values.ts";

const actions = ["pull", "push", "mount", "delete"] as const;
const TextList = v.array(Text, "write a list of texts");

/** Headers as they are sent: a list is one header (RFC 9110, section 5.3). They may be credentials. */
const SecretHeaders = v.pipe(
  RequestHeaders,
  v.transform((headers) =>
    Object.fromEntries(
      Object.entries(headers).map(([name, values]) => [
        name.toLowerCase(),
        new Secret(values.join(", ")),
      ]),
    ),
  ),
);

const Endpoint = v.strictObject({
  name: v.pipe(Text, v.maxLength(200, "write a name of at most 200 characters")),
  disabled: v.optional(YesOrNo, false),
  url: v.pipe(
    HttpUrl,
    v.transform((text) => new Secret(text)),
  ),
  headers: v.nullish(SecretHeaders, {}),
  /** For one attempt. */
  timeout: v.optional(duration({ leastMs: 1, mostMs: 600_000 }), "1s"),
  /** So many failures in a row, and the endpoint is taken to be down. */
  threshold: v.optional(wholeNumber(0), 10),
  /** Between attempts when it is down, at first; it doubles up to five minutes. */
  backoff: v.optional(duration({ leastMs: 0, mostMs: 3_600_000 }), "1s"),
  ignoredmediatypes: v.nullish(TextList, []),
  ignore: v.optional(
    v.strictObject({
      mediatypes: v.nullish(TextList, []),
      actions: v.nullish(v.array(v.picklist(actions)), []),
    }),
    {},
  ),
  /** Ours: signs each body. */
  secret: v.optional(
    v.pipe(
      Text,
      v.transform((text) => new Secret(text)),
    ),
  ),
  /** Ours: after so many, an event is put aside with the dead letters. */
  maxattempts: v.optional(wholeNumber(1), 100),
});

const Queue = v.strictObject({
  /** Where events wait; `dewy/notifications` in the storage directory unless told. */
  directory: v.optional(Text),
  /** For each endpoint; beyond that the oldest go. */
  maxsize: v.optional(
    v.pipe(
      v.union([v.string(), v.pipe(v.number(), v.transform(String))], "write a size, such as 64MiB"),
      ByteCount,
      v.minValue(1024 * 1024, "write a size of at least 1MiB"),
    ),
    "64MiB",
  ),
});

/** `notifications:` of the configuration. */
export const Notifications = v.strictObject({
  events: v.optional(
    v.strictObject({
      includereferences: v.optional(YesOrNo, false),
      /** Ours: of the envelope's media type; 2 is what version 3 of Distribution sends. */
      version: v.optional(v.picklist([1, 2]), 1),
      /** Ours: Distribution tells of a HEAD as of a pull. */
      headpulls: v.optional(YesOrNo, false),
    }),
    {},
  ),
  endpoints: v.nullish(
    v.pipe(
      v.array(Endpoint, "write a list of endpoints"),
      v.check(
        (endpoints) => new Set(endpoints.map(({ name }) => name)).size === endpoints.length,
        "give each endpoint a name of its own",
      ),
    ),
    [],
  ),
  queue: v.optional(Queue, {}),
});

export type Notifications = v.InferOutput<typeof Notifications>;
export type Endpoint = v.InferOutput<typeof Endpoint>;
