import { expect, it } from "vitest";
import { type LocationOptions, locationFor } from "./location.ts";

const plain: LocationOptions = { host: undefined, prefix: "", relative: false, scheme: "http" };

it.each<[string, Partial<LocationOptions>, Record<string, string>, string]>([
  ["the host that was asked", {}, { host: "r.test:5000" }, "http://r.test:5000/v2/"],
  ["a path without a host", {}, {}, "/v2/"],
  ["a path only", { relative: true }, { host: "r.test" }, "/v2/"],
  ["the prefix", { prefix: "/reg" }, { host: "r.test" }, "http://r.test/reg/v2/"],
  [
    "the configured host before all",
    { host: "https://r.example/", relative: true },
    { host: "r.test", "x-forwarded-host": "x.test" },
    "https://r.example/v2/",
  ],
  [
    "the first proxy's words",
    {},
    { host: "r.test", "x-forwarded-proto": "https", "x-forwarded-host": "a.test, b.test" },
    "https://a.test/v2/",
  ],
  [
    "the proxy's protocol alone",
    {},
    { host: "r.test", "x-forwarded-proto": "https" },
    "https://r.test/v2/",
  ],
  [
    "RFC 7239 before X-Forwarded",
    {},
    { forwarded: 'for=1.2.3.4;proto=https;host="f.test:8443"', "x-forwarded-host": "x.test" },
    "https://f.test:8443/v2/",
  ],
  [
    "no forged host",
    {},
    { host: "r.test", "x-forwarded-host": "evil.test/path?x=" },
    "http://r.test/v2/",
  ],
])("uses %s", (_name, options, headers, expected) => {
  expect(locationFor("/v2/", { ...plain, ...options }, headers)).toBe(expected);
});
