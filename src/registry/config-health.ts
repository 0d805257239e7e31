import * as v from "valibot";
import { duration, HttpUrl, RequestHeaders, Text, wholeNumber, YesOrNo } from "./config-values.ts";

const dayMs = 86_400_000;

/** Of every check. With a threshold of 0 the first failure counts. */
const rhythm = {
  interval: v.optional(duration({ leastMs: 10, mostMs: dayMs }), "10s"),
  threshold: v.optional(wholeNumber(0), 0),
};
const timeout = v.optional(duration({ leastMs: 1, mostMs: 600_000 }), "10s");

/** `health:` of the configuration. */
export const Health = v.strictObject({
  storagedriver: v.optional(v.strictObject({ enabled: v.optional(YesOrNo, false), ...rhythm })),
  file: v.optional(v.array(v.strictObject({ file: Text, ...rhythm }), "write a list of files"), []),
  http: v.optional(
    v.array(
      v.strictObject({
        uri: HttpUrl,
        headers: v.nullish(RequestHeaders, {}),
        statuscode: v.optional(wholeNumber(100, 599), 200),
        timeout,
        ...rhythm,
      }),
      "write a list of URIs",
    ),
    [],
  ),
  tcp: v.optional(
    v.array(
      v.strictObject({
        addr: v.pipe(
          v.string("write an address as host:port"),
          v.regex(/^(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):\d{1,5}$/, "write an address as host:port"),
        ),
        timeout,
        ...rhythm,
      }),
      "write a list of addresses",
    ),
    [],
  ),
});

export type Health = v.InferOutput<typeof Health>;
