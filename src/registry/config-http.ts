import * as v from "valibot";
import { parseDuration } from "../base/schema.ts";
import { Debug } from "./config-debug.ts";
import { H2c } from "./config-distribution.ts";
import { Timeouts } from "./config-timeouts.ts";
import { Tls } from "./config-tls.ts";
import { YesOrNo } from "./config-values.ts";

/** The most that `http.draintimeout` may ask for, so that a stop always ends. */
export const longestDrainMs = 3_600_000;

/** As Distribution reads it: Go's notation, or a bare number of nanoseconds. In milliseconds. */
const GoDuration = v.pipe(
  v.union([v.string(), v.number()], "write a duration such as 30s or 1h30m"),
  v.transform((value) => (typeof value === "number" ? value / 1e6 : parseDuration(value))),
  v.number("write a duration such as 30s or 1h30m"),
  v.minValue(0, "write a duration that is not negative"),
  v.maxValue(longestDrainMs, "write a duration of at most 1h"),
);

const addressForm = "write an address as :5000 or 127.0.0.1:5000";
const HeaderValue = v.pipe(
  v.string("write a text"),
  v.regex(/^[\t\x20-\x7e]*$/, "a header is one line of ASCII"),
);
/** `http:` of the configuration. */
export const Http = v.pipe(
  v.strictObject({
    addr: v.optional(v.string(addressForm), ":5000"),
    net: v.optional(v.picklist(["tcp", "unix"]), "tcp"),
    host: v.optional(
      v.pipe(
        v.string("write it as https://host"),
        v.regex(/^https?:\/\/[^/\s]+/, "write it as https://host"),
      ),
    ),
    prefix: v.optional(
      v.pipe(v.string("write it as /path/"), v.regex(/^\/(?:[\w.~-]+\/)*$/, "write it as /path/")),
      "/",
    ),
    relativeurls: v.optional(YesOrNo, false),
    headers: v.optional(
      v.record(
        v.pipe(
          v.string(),
          v.regex(/^[\w!#$%&'*+.^`|~-]+$/, "this is not the name of a header"),
          v.regex(
            /^(?!(?:content-length|transfer-encoding|connection)$)/i,
            "this header is the server's own to set",
          ),
        ),
        v.array(HeaderValue, "write a list of texts"),
      ),
      {},
    ),
    draintimeout: v.optional(GoDuration, "30s"),
    timeouts: v.optional(Timeouts, {}),
    tls: v.optional(Tls),
    debug: v.optional(Debug),
    /** HTTP/2 is spoken over TLS only, beside HTTP/1.1. */
    http2: v.optional(v.strictObject({ disabled: v.optional(YesOrNo, false) }), {}),
    h2c: v.optional(H2c),
    /** Taken so that old files work; the state of an upload is in its file, and needs no signature. */
    secret: v.optional(v.union([v.string(), v.number(), v.boolean()], "write a text")),
  }),
  v.forward(
    v.check(({ addr, net }) => net === "unix" || isAddress(addr), addressForm),
    ["addr"],
  ),
  v.forward(
    v.check(
      ({ addr, net }) => net === "tcp" || (addr !== "" && !isAddress(addr)),
      "write the path of a socket, such as /run/registry/registry.sock, since http.net is unix",
    ),
    ["addr"],
  ),
  v.forward(
    v.check(
      ({ addr, net, debug }) => net === "unix" || debug?.addr !== addr || addr.endsWith(":0"),
      "http.addr is this address already: write another one",
    ),
    ["debug"],
  ),
);
export type Http = v.InferOutput<typeof Http>;

function isAddress(text: string): boolean {
  const port = /^(?:[\w.-]*|\[[0-9a-fA-F:.]+\]):(\d{1,5})$/.exec(text)?.[1];
  return port !== undefined && Number(port) <= 65_535;
}
