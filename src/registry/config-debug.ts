import * as v from "valibot";
import { YesOrNo } from "./config-values.ts";

/** `http.debug:` of the configuration. Whoever reaches the address reads what is there. */
export const Debug = v.pipe(
  v.strictObject({
    addr: v.optional(
      v.pipe(
        v.string("write an address as 127.0.0.1:5001"),
        v.regex(
          /^(?:[\w.-]*|\[[0-9a-fA-F:.]+\]):\d{1,5}$/,
          "write an address as :5001 or 127.0.0.1:5001",
        ),
        v.check((text) => Number(text.slice(text.lastIndexOf(":") + 1)) <= 65_535, "no such port"),
      ),
    ),
    prometheus: v.optional(
      v.strictObject({
        enabled: v.optional(YesOrNo, false),
        path: v.optional(
          v.pipe(v.string("write it as /path"), v.regex(/^\/[\w./~-]*$/, "write it as /path")),
          "/metrics",
        ),
      }),
      {},
    ),
  }),
  v.forward(
    v.check(
      ({ addr, prometheus }) => addr !== undefined || !prometheus.enabled,
      "metrics are served at http.debug.addr: set that as well",
    ),
    ["prometheus"],
  ),
);

export type Debug = v.InferOutput<typeof Debug>;
