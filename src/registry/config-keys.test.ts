import { expect, it } from "vitest";
import { parse } from "yaml";
import { parseRegistryConfig, RegistryFile } from "./config.ts";

const drivers = ["filesystem", "inmemory", "s3", "azure", "gcs", "swift", "oss"];

// Every key that the documentation of Distribution has, of version 2 or 3, and what becomes of it.

const tls = "http.tls.certificate: /c, http.tls.key: /k";
const letsencrypt = "http.tls.letsencrypt.cachefile: /d, http.tls.letsencrypt.hosts: [a.example]";
const endpoint = "notifications.endpoints: [{name: a, url: 'https://h/'";
const token =
  "auth.token.realm: r, auth.token.service: s, auth.token.issuer: i, auth.token.jwks: /j";
const debug = "http.debug.addr: ':5001'";

/** Each has its effect, tested beside what it is for. */
const heard = [
  ...["version: 0.1", "loglevel: warn", "catalog.maxentries: 5", "tags.maxtags: 5"],
  ...["log.level: debug", "log.formatter: logstash", "log.fields: {service: registry}"],
  "log.accesslog.disabled: true",
  "log.hooks: [{disabled: true, type: mail, levels: [panic], options: {smtp: {addr: a}, from: b}}]",
  ...["storage.filesystem.rootdirectory: /data", "storage.inmemory: ", "storage.inmemory: {}"],
  ...["storage.delete.enabled: true", "storage.redirect.disable: true"],
  ...["storage.maintenance.readonly.enabled: true"],
  ...["enabled: false", "age: 168h", "interval: 24h", "dryrun: true"].map(
    (key) => `storage.maintenance.uploadpurging.${key}`,
  ),
  ...["auth.none: {}", "auth.silly: {realm: r, service: s}", "auth.htpasswd: {realm: r, path: /p}"],
  ...[token, `${token}, auth.token.rootcertbundle: /b`, `${token}, auth.token.autoredirect: true`],
  `${token}, auth.token.autoredirect: true, auth.token.autoredirectpath: /auth/token`,
  `${token}, auth.token.signingalgorithms: [ES256]`,
  ...["http.addr: ':5001'", "http.net: unix, http.addr: /s", "http.prefix: /a/"],
  ...["http.host: 'https://h'", "http.relativeurls: true", "http.draintimeout: 60s"],
  ...["http.headers: {X-Content-Type-Options: [nosniff]}", "http.http2.disabled: true"],
  ...[debug, `${debug}, http.debug.prometheus.enabled: true, http.debug.prometheus.path: /metrics`],
  ...[tls, `${tls}, http.tls.minimumtls: tls1.3`, `${tls}, http.tls.clientcas: [/a]`],
  `${tls}, http.tls.clientcas: [/a], http.tls.clientauth: verify-client-cert-if-given`,
  `${tls}, http.tls.ciphersuites: [TLS_AES_128_GCM_SHA256]`,
  ...[letsencrypt, `${letsencrypt}, http.tls.letsencrypt.email: a@b.example`],
  `${letsencrypt}, http.tls.letsencrypt.directoryurl: 'https://ca.example/dir'`,
  "notifications.events.includereferences: true",
  ...[`${endpoint}, disabled: true}]`, `${endpoint}, headers: {A: [b]}}]`, `${endpoint}}]`],
  ...[`${endpoint}, timeout: 1s, threshold: 10, backoff: 1s}]`],
  `${endpoint}, ignoredmediatypes: [a/b], ignore: {mediatypes: [a/b], actions: [pull]}}]`,
  "health.storagedriver: {enabled: true, interval: 10s, threshold: 3}",
  "health.file: [{file: /f, interval: 10s, threshold: 3}]",
  "health.http: [{uri: 'http://h/', headers: {A: [b]}, statuscode: 200, timeout: 3s, interval: 10s, threshold: 3}]",
  "health.tcp: [{addr: 'h:1', timeout: 3s, interval: 10s, threshold: 3}]",
  ...["proxy.remoteurl: 'https://h'", "proxy.remoteurl: 'https://h', proxy.ttl: 168h"],
  "proxy.remoteurl: 'https://h', proxy.username: u, proxy.password: p",
  "proxy.remoteurl: 'https://h', proxy.exec: {command: docker-credential-x, lifetime: 1h}",
  ...["validation.disabled: true", "validation.manifests.urls: {allow: [a], deny: [b]}"],
  "validation.manifests.indexes.platforms: none",
  "validation.manifests.indexes: {platforms: list, platformlist: [{os: linux, architecture: arm64}]}",
];

/** Each is taken, and the log says why nothing comes of it. */
const noted = [
  ["log.reportcaller: true", "log.reportcaller"],
  ["storage.filesystem.maxthreads: 100", "storage.filesystem.maxthreads"],
  ["storage.filesystem.maxthreads: '100'", "storage.filesystem.maxthreads"],
  ["storage.cache: {blobdescriptor: redis, blobdescriptorsize: 10000}", "storage.cache"],
  ["storage.cache: {layerinfo: inmemory}", "storage.cache"],
  ["storage.tag.concurrencylimit: 8", "storage.tag.concurrencylimit"],
  [
    "middleware.storage: [{name: redirect, options: {baseurl: 'https://h/'}}]",
    "middleware.storage",
  ],
  ["middleware.storage: [{name: cloudfront, options: {}}]", "middleware.storage"],
  ["middleware.storage: [{name: rewrite, options: {scheme: https}}]", "middleware.storage"],
  ["http.secret: s3cret", "http.secret"],
  ["http.h2c.enabled: true", "http.h2c"],
  ["redis: {addr: 'h:6379', password: p, db: 0, pool: {maxidle: 16}}", "redis"],
  ["redis: {addrs: ['h:6379'], mastername: m, tls: {certificate: c}}", "redis"],
  ["proxy.remoteurl: 'https://h', proxy.cachewritetimeout: 5m", "proxy.cachewritetimeout"],
  ["validation.enabled: true", "validation.enabled"],
  ["reporting.bugsnag: {apikey: a, releasestage: b, endpoint: c}", "reporting"],
  ["reporting.newrelic: {licensekey: a, name: b, verbose: true}", "reporting"],
  ["compatibility.schema1: {signingkeyfile: /k, enabled: true}", "compatibility.schema1"],
] as const;

/** Each would keep data elsewhere, or change who may do what. */
const refused = [
  ["storage.s3: {bucket: b}", "storage.s3: this registry keeps its data in a directory"],
  ["storage.azure: {container: b}", "storage.azure: this registry keeps its data in a directory"],
  ["storage.gcs: {bucket: b}", "storage.gcs: this registry keeps its data in a directory"],
  ["storage.swift: {container: b}", "storage.swift: this registry keeps its data in a directory"],
  ["storage.oss: {bucket: b}", "storage.oss: this registry keeps its data in a directory"],
  ["log.hooks: [{type: mail}]", "this registry sends no mail"],
  ["middleware.registry: [{name: a}]", "middleware.registry: this registry has no plugins"],
  ["middleware.repository: [{name: a}]", "middleware.repository: this registry has no plugins"],
  ["middleware.storage: [{name: own}]", "middleware.storage.0: this registry has no plugins"],
  ["policy.repository.classes: [image]", "policy.repository.classes: this registry takes images"],
  [`${tls}, http.tls.minimumtls: tls1.0`, "http.tls.minimumtls: choose one of: tls1.2, tls1.3"],
] as const;

/** Each asks for nothing. */
const silent = [
  ...["http.h2c.enabled: false", "compatibility.schema1.enabled: false", "middleware: "],
  ...["middleware: {registry: [], repository: , storage: []}", "reporting: {}", "policy: {}"],
  ...["middleware.storage: [{name: own, disabled: true}]", "policy.repository.classes: []"],
  ...["http: ", "log: ", "health: ", "notifications: ", "http.headers: ", "log.hooks: ", "proxy: "],
  ...["storage.delete: ", "storage.maintenance: ", "validation: {manifests: {urls: }}", "redis: "],
  ...["middleware.registry: [{name: a, disabled: true}]", "storage.redirect.disable: false"],
];

it.each([...heard, ...silent])("takes %s as it is meant", (keys) => {
  expect(read(keys).notes).toEqual([]);
});

it.each(noted)("takes %s, and says that it has no effect", (keys, path) => {
  const { notes } = read(keys);

  expect(notes).toEqual([expect.stringMatching(new RegExp(`^${path} has no effect here: \\w`))]);
});

it.each(refused)("refuses %s", (keys, message) => {
  expect(() => read(keys)).toThrow(message);
});

it("knows no key but these and its own", () => {
  const own = new Set([
    ...["auth.ldap", "auth.oidc", "auth.tokenserver", "auth.robots", "auth.access"],
    ...["auth.failedlogins", "auth.trustedproxies", "notifications.queue", "quotas"],
    ...["notifications.events.version", "notifications.events.headpulls"],
    ...["storage.maintenance.garbagecollect", "storage.maintenance.retention"],
    "storage.maintenance.scrub",
    ...["proxy.maxsize", "proxy.tagttl", "proxy.patience", "proxy.upstreams", "http.timeouts"],
  ]);
  const tested = [...heard, ...silent, ...noted.map(([keys]) => keys), ...refused.map(([k]) => k)];

  const known = leavesOf(RegistryFile as Part, "").filter(
    (path) => ![...own].some((prefix) => path === prefix || path.startsWith(`${prefix}.`)),
  );

  const seen = new Set(tested.flatMap((keys) => pathsIn(documentOf(keys), "")));
  expect(known.filter((path) => !seen.has(path))).toEqual([]);
});

it("hears loglevel only where there is no log.level", () => {
  expect(read("loglevel: warn").log.level).toBe("warn");
  expect(read("loglevel: warn, log.level: debug").log.level).toBe("debug");
});

it("does not take an auth section without a kind for none", () => {
  expect(() => read("auth: ")).toThrow("auth: ");
  expect(() => read("auth.htpasswd: ")).toThrow("auth.htpasswd: ");
});

it.each([
  ["{platforms: list}", "platformlist: write platforms: list, and at least one"],
  ["{platformlist: [{os: linux, architecture: a}]}", "platformlist: write platforms: list"],
  ["{platforms: some}", "indexes.platforms: choose one of: all, none, list"],
])("refuses validation.manifests.indexes: %s", (indexes, message) => {
  expect(() => read(`validation.manifests.indexes: ${indexes}`)).toThrow(message);
});

interface Part {
  type?: string;
  entries?: Record<string, Part>;
  wrapped?: Part;
}

/** The paths of a schema that have no mapping of known keys below them. */
function leavesOf(part: Part, path: string): string[] {
  if (part.wrapped) return leavesOf(part.wrapped, path);
  if (!part.entries) return [path];
  return Object.entries(part.entries).flatMap(([key, inside]) =>
    leavesOf(inside, path === "" ? key : `${path}.${key}`),
  );
}

/** Each path of a document, those of mappings too. */
function pathsIn(value: unknown, path: string): string[] {
  const inside =
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.entries(value).flatMap(([key, each]) =>
          pathsIn(each, path === "" ? key : `${path}.${key}`),
        )
      : [];
  return [path, ...inside];
}

/** `a.b: 1, c: 2` as a document, with what each needs. */
function documentOf(keys: string): Record<string, unknown> {
  const document: Record<string, unknown> = { version: 0.1, storage: {} };
  for (const [path, value] of Object.entries(parse(`{${keys}}`))) place(document, path, value);
  const storage = document.storage as Record<string, unknown>;
  if (!drivers.some((driver) => driver in storage)) storage.inmemory = null;
  return document;
}

function place(document: Record<string, unknown>, path: string, value: unknown): void {
  const [first = "", ...rest] = path.split(".");
  if (rest.length > 0) document[first] ??= {};
  if (rest.length === 0) document[first] = value;
  else place(document[first] as Record<string, unknown>, rest.join("."), value);
}

function read(keys: string) {
  const text = JSON.stringify(documentOf(keys));
  return parseRegistryConfig({ file: "config.yml", text, environment: {} });
}
