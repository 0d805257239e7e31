import * as v from "valibot";
import { parseDuration } from "../base/schema.ts";
import { parseDocument, type Source } from "./config-document.ts";
import { ProxyOptions } from "./mirror/proxy-options.ts";
import { type StorageChoice, storageOptions } from "./storage/index.ts";

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

const YesOrNo = v.boolean("write true or false");
const Count = v.pipe(
  v.number("write a number"),
  v.integer("write a whole number"),
  v.minValue(1, "write a number above 0"),
);
const Pattern = v.pipe(
  v.string("write a regular expression"),
  v.check(isPattern, "this is not a regular expression"),
  v.transform((text) => new RegExp(text)),
);

const Log = v.strictObject({
  level: v.optional(v.picklist(["error", "warn", "info", "debug"]), "info"),
  formatter: v.optional(v.picklist(["text", "json", "logstash"]), "text"),
  fields: v.optional(v.record(v.string(), v.unknown()), {}),
  accesslog: v.optional(v.strictObject({ disabled: v.optional(YesOrNo, false) }), {}),
});

const Storage = v.pipe(
  v.strictObject({
    filesystem: v.optional(v.nullable(storageOptions.filesystem)),
    inmemory: v.optional(storageOptions.inmemory),
    delete: v.optional(v.strictObject({ enabled: v.optional(YesOrNo, false) }), {}),
    /** Nothing redirects on these drivers, so either answer is already true. */
    redirect: v.optional(v.strictObject({ disable: v.optional(YesOrNo, false) }), {}),
    maintenance: v.optional(
      v.strictObject({
        readonly: v.optional(v.strictObject({ enabled: v.optional(YesOrNo, false) }), {}),
      }),
      {},
    ),
  }),
  v.check(
    ({ filesystem, inmemory }) => (filesystem === undefined) !== (inmemory === undefined),
    "choose one of: filesystem, inmemory",
  ),
);

const addressForm = "write an address as :5000 or 127.0.0.1:5000";
const HeaderValue = v.pipe(
  v.string("write a text"),
  v.regex(/^[\t\x20-\x7e]*$/, "a header is one line of ASCII"),
);
const Http = v.pipe(
  v.strictObject({
    addr: v.optional(v.pipe(v.string(addressForm), v.nonEmpty(addressForm)), ":5000"),
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
    /** Taken so that old files work; the state of an upload is in its file, and needs no signature. */
    secret: v.optional(v.union([v.string(), v.number(), v.boolean()], "write a text")),
  }),
  v.forward(
    v.check(({ addr, net }) => net === "unix" || isAddress(addr), addressForm),
    ["addr"],
  ),
);

const Validation = v.strictObject({
  disabled: v.optional(YesOrNo, false),
  manifests: v.optional(
    v.strictObject({
      urls: v.optional(
        v.strictObject({
          allow: v.optional(v.array(Pattern), []),
          deny: v.optional(v.array(Pattern), []),
        }),
        {},
      ),
    }),
    {},
  ),
});

/** `config.yml`, as far as this registry knows it. */
export const RegistryFile = v.strictObject({
  version: v.pipe(
    v.union([v.number(), v.string()], "write version: 0.1"),
    v.check((version) => String(version) === "0.1", "only version 0.1 is known"),
  ),
  log: v.optional(Log, {}),
  storage: Storage,
  http: v.optional(Http, {}),
  catalog: v.optional(v.strictObject({ maxentries: v.optional(Count, 1000) }), {}),
  tags: v.optional(v.strictObject({ maxtags: v.optional(Count, 1000) }), {}),
  validation: v.optional(Validation, {}),
  proxy: v.optional(ProxyOptions),
});

/** Everything decided: each value is what the file said, or its default. */
export type RegistryConfig = Omit<v.InferOutput<typeof RegistryFile>, "storage"> & {
  storage: Pick<v.InferOutput<typeof Storage>, "delete" | "maintenance"> & {
    choice: StorageChoice;
  };
};

/**
 * Reads a `config.yml` of Distribution, and the `REGISTRY_…` variables that override it.
 *
 * @throws {ConfigError} one line for each mistake: `FILE:LINE:COLUMN: path: what is wrong`.
 */
export function parseRegistryConfig(source: Source): RegistryConfig {
  return decided(parseDocument(RegistryFile, source));
}

/**
 * What `dewy registry serve` does without a file: this machine only, in `directory`. The variables
 * override that as well.
 */
export function defaultRegistryConfig(
  directory: string,
  environment: Source["environment"] = {},
): RegistryConfig {
  const file = {
    version: 0.1,
    storage: { filesystem: { rootdirectory: directory }, delete: { enabled: true } },
    http: { addr: "127.0.0.1:5000" },
  };
  const text = JSON.stringify(file); // which is YAML as well
  return parseRegistryConfig({ file: "defaults", text, environment });
}

function decided({ storage, ...rest }: v.InferOutput<typeof RegistryFile>): RegistryConfig {
  const { filesystem, inmemory, delete: deletion, maintenance } = storage;
  const choice: StorageChoice =
    inmemory === undefined
      ? { driver: "filesystem", options: filesystem ?? v.parse(storageOptions.filesystem, {}) }
      : { driver: "inmemory" };
  return { ...rest, storage: { delete: deletion, maintenance, choice } };
}

function isAddress(text: string): boolean {
  const port = /^(?:[\w.-]*|\[[0-9a-fA-F:.]+\]):(\d{1,5})$/.exec(text)?.[1];
  return port !== undefined && Number(port) <= 65_535;
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}
