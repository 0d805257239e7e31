import * as v from "valibot";
import { Auth } from "./auth/index.ts";
import { DescriptorCache } from "./config-cache.ts";
import {
  asksForSomething,
  Compatibility,
  foreignDrivers,
  Middleware,
  Policy,
  Reporting,
  TagOptions,
} from "./config-distribution.ts";
import { type Placed, parseDocument, type Source } from "./config-document.ts";
import { Health } from "./config-health.ts";
import { Http } from "./config-http.ts";
import { Notifications } from "./config-notifications.ts";
import { Text, YesOrNo } from "./config-values.ts";
import { maintenanceEntries } from "./garbage/options.ts";
import { ProxyOptions } from "./mirror/proxy-options.ts";
import { QuotaRules } from "./quotas/options.ts";
import { type StorageChoice, storageOptions } from "./storage/index.ts";

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

const Level = v.picklist(["error", "warn", "info", "debug"]);

const Log = v.strictObject({
  level: v.optional(Level),
  formatter: v.optional(v.picklist(["text", "json", "logstash"]), "text"),
  fields: v.optional(v.record(v.string(), v.unknown()), {}),
  reportcaller: v.optional(YesOrNo, false),
  accesslog: v.optional(v.strictObject({ disabled: v.optional(YesOrNo, false) }), {}),
  /** Taken where they are switched off, as in Distribution's own example. */
  hooks: v.optional(
    v.array(
      v.pipe(
        v.looseObject({ disabled: v.optional(YesOrNo, false) }),
        v.check(
          ({ disabled }) => disabled,
          "this registry sends no mail: watch its log or its metrics",
        ),
      ),
      "write a list of hooks",
    ),
  ),
});

const Storage = v.pipe(
  v.strictObject({
    filesystem: v.optional(v.nullable(storageOptions.filesystem)),
    inmemory: v.optional(storageOptions.inmemory),
    ...foreignDrivers,
    tag: v.optional(TagOptions),
    delete: v.optional(v.strictObject({ enabled: v.optional(YesOrNo, false) }), {}),
    cache: v.optional(DescriptorCache),
    /** Nothing redirects on these drivers, so either answer is already true. */
    redirect: v.optional(v.strictObject({ disable: v.optional(YesOrNo, false) }), {}),
    maintenance: v.optional(
      v.strictObject({
        readonly: v.optional(v.strictObject({ enabled: v.optional(YesOrNo, false) }), {}),
        ...maintenanceEntries,
      }),
      {},
    ),
  }),
  v.check(
    ({ filesystem, inmemory, ...rest }) =>
      (filesystem === undefined) !== (inmemory === undefined) || namesForeignDriver(rest),
    "choose one of: filesystem, inmemory",
  ),
);

const Platform = v.strictObject({ os: Text, architecture: Text });

const Indexes = v.pipe(
  v.strictObject({
    /** Of which images an index has to name some that are there. */
    platforms: v.optional(v.picklist(["all", "none", "list"]), "all"),
    platformlist: v.optional(v.array(Platform, "write a list of platforms"), []),
  }),
  v.forward(
    v.check(
      ({ platforms, platformlist }) => (platforms === "list") === platformlist.length > 0,
      "write platforms: list, and at least one os and architecture here",
    ),
    ["platformlist"],
  ),
);

const Validation = v.strictObject({
  /** Of old: `disabled` is what counts. */
  enabled: v.optional(YesOrNo),
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
      indexes: v.optional(Indexes, {}),
    }),
    {},
  ),
});

export { longestDrainMs } from "./config-http.ts";

/** `config.yml`, as far as this registry knows it. */
export const RegistryFile = v.strictObject({
  version: v.pipe(
    v.union([v.number(), v.string()], "write version: 0.1"),
    v.check((version) => String(version) === "0.1", "only version 0.1 is known"),
  ),
  log: v.optional(Log, {}),
  /** The name of `log.level` in the first versions. */
  loglevel: v.optional(Level),
  storage: Storage,
  http: v.optional(Http, {}),
  auth: v.optional(Auth),
  notifications: v.optional(Notifications, {}),
  health: v.optional(Health, {}),
  catalog: v.optional(v.strictObject({ maxentries: v.optional(Count, 1000) }), {}),
  /** Only ever for `storage.cache`; its keys are the other's, and not looked at. */
  redis: v.optional(v.record(v.string(), v.unknown())),
  tags: v.optional(v.strictObject({ maxtags: v.optional(Count, 1000) }), {}),
  validation: v.optional(Validation, {}),
  proxy: v.optional(ProxyOptions),
  /** Ours: see `docs/image-registry-api.md`. */
  quotas: v.optional(QuotaRules, []),
  /** Of Distribution, without effect here. */
  middleware: v.optional(Middleware),
  reporting: v.optional(Reporting),
  compatibility: v.optional(Compatibility),
  policy: v.optional(Policy),
});

type RegistryFile = v.InferOutput<typeof RegistryFile>;

/** Everything decided: each value is what the file said, or its default. */
export type RegistryConfig = Omit<RegistryFile, "storage" | "log" | UnheardKey> & {
  storage: Pick<RegistryFile["storage"], "delete" | "maintenance"> & { choice: StorageChoice };
  log: RegistryFile["log"] & { level: v.InferOutput<typeof Level> };
  /** What the file says without effect, and why: a sentence each. */
  notes: readonly string[];
};

type UnheardKey = "loglevel" | "redis" | "middleware" | "reporting" | "compatibility" | "policy";

/**
 * Reads a `config.yml` of Distribution, and the `REGISTRY_…` variables that override it.
 *
 * @throws {ConfigError} one line for each mistake: `FILE:LINE:COLUMN: path: what is wrong`.
 */
export function parseRegistryConfig(source: Source): RegistryConfig {
  return placedRegistryConfig(source).value;
}

/** The same, with the place of each key. */
export function placedRegistryConfig(source: Source): Placed<RegistryConfig> {
  const { value, placeOf, notes } = parseDocument(RegistryFile, source);
  return { value: decided(value, notes), placeOf };
}

/**
 * What `dewy registry serve` does without a file: this machine only, in `directory`. The variables
 * override that as well.
 */
export function defaultRegistryConfig(
  directory: string,
  environment: Source["environment"] = {},
): RegistryConfig {
  return parseRegistryConfig(defaultSource(directory, environment));
}

/** What it would be as a file. */
export function defaultSource(directory: string, environment: Source["environment"]): Source {
  const file = {
    version: 0.1,
    storage: { filesystem: { rootdirectory: directory }, delete: { enabled: true } },
    http: { addr: "127.0.0.1:5000" },
  };
  const text = JSON.stringify(file); // which is YAML as well
  return { file: "defaults", text, environment };
}

function decided(
  { storage, log, loglevel, ...rest }: RegistryFile,
  notes: readonly string[],
): RegistryConfig {
  const { redis, middleware, reporting, compatibility, policy, ...heard } = rest;
  const { filesystem, inmemory, delete: deletion, maintenance } = storage;
  const choice: StorageChoice =
    inmemory === undefined
      ? { driver: "filesystem", options: filesystem ?? v.parse(storageOptions.filesystem, {}) }
      : { driver: "inmemory" };
  const level = log.level ?? loglevel ?? "info";
  const decidedStorage = { delete: deletion, maintenance, choice };
  return { ...heard, log: { ...log, level }, storage: decidedStorage, notes };
}

/** Which is refused then, in words of its own. */
function namesForeignDriver(storage: Record<string, unknown>): boolean {
  return Object.keys(foreignDrivers).some((name) => asksForSomething(storage[name]));
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}
