import { expect, it } from "vitest";
import { defaultRegistryConfig, parseRegistryConfig } from "./config.ts";

const smallest = "version: 0.1\nstorage:\n  inmemory:\n";

const htpasswd = "auth:\n  htpasswd: {realm: r, path: p}\n";
const tls = "http:\n  tls: {certificate: c, key: k";

function read(text: string, environment: Record<string, string> = {}) {
  return parseRegistryConfig({ file: "config.yml", text, environment });
}

it("reads every key it knows", () => {
  const config = read(`
version: 0.1
log: {level: debug, formatter: logstash, fields: {service: registry}, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: /data}
  delete: {enabled: true}
  redirect: {disable: true}
  maintenance: {readonly: {enabled: true}}
http:
  addr: 127.0.0.1:5001
  net: tcp
  host: https://registry.example.com
  prefix: /reg/
  relativeurls: true
  secret: x
  draintimeout: 1m30s
  headers: {X-Content-Type-Options: [nosniff]}
catalog: {maxentries: 5}
tags: {maxtags: 6}
validation: {disabled: false, manifests: {urls: {allow: ["^https://a/"], deny: [b]}}}
`);

  expect(config).toMatchObject({
    log: { level: "debug", formatter: "logstash", accesslog: { disabled: true } },
    storage: {
      choice: { driver: "filesystem", options: { rootdirectory: "/data" } },
      delete: { enabled: true },
      maintenance: { readonly: { enabled: true } },
    },
    http: {
      draintimeout: 90_000,
      prefix: "/reg/",
      headers: { "X-Content-Type-Options": ["nosniff"] },
    },
    catalog: { maxentries: 5 },
    tags: { maxtags: 6 },
    validation: { manifests: { urls: { allow: [/^https:\/\/a\//], deny: [/b/] } } },
  });
});

it.each([
  [
    "inmemory",
    "storage:\n  inmemory:\n  cache: {blobdescriptor: inmemory, blobdescriptorsize: 10}\n",
  ],
  ["redis", "storage:\n  inmemory:\n  cache: {layerinfo: redis}\nredis: {addr: cache:6379}\n"],
])("takes a cache of sizes, as old files name one: %s", (_kind, text) => {
  const { notes } = read(`version: 0.1\n${text}`);

  expect(notes[0]).toBe(
    "storage.cache has no effect here: the size of a blob is read from its file",
  );
});

it("fills in Distribution's defaults", () => {
  expect(read(smallest)).toMatchObject({
    log: { level: "info", formatter: "text", accesslog: { disabled: false } },
    storage: { choice: { driver: "inmemory" }, delete: { enabled: false } },
    http: { addr: ":5000", net: "tcp", draintimeout: 30_000 },
    catalog: { maxentries: 1000 },
  });
});

it.each(["0", "0s", '"0"'])("has no limit for requests that stall by %s", (stall) => {
  expect(read(`${smallest}http: {timeouts: {stall: ${stall}}}\n`).http.timeouts.stall).toBe(0);
});

it("takes a bare number for nanoseconds", () => {
  const config = read(`${smallest}http: {draintimeout: 5000000000}\n`);

  expect(config.http.draintimeout).toBe(5_000);
});

it.each([
  [
    "mirrors: {}\n",
    "config.yml:4:1: mirrors: this registry knows no such key; known here: version, log,",
  ],
  ["htpp: {}\n", "config.yml:4:1: htpp: this registry knows no such key; did you mean http"],
  [
    "http:\n  adr: :1\n",
    "config.yml:5:3: http.adr: this registry knows no such key; did you mean addr",
  ],
  [
    "auth: {}\n",
    "config.yml:4:1: auth: choose one of: htpasswd, ldap, oidc (or several of these), token, silly, none",
  ],
  [
    "http:\n  addr: '5000'\n",
    "config.yml:5:3: http.addr: write an address as :5000 or 127.0.0.1:5000",
  ],
  ["http:\n  timeouts: {stall: 10}\n", "http.timeouts.stall: write a duration such as 30s or 10m"],
  ["http:\n  timeouts: {stall: 5ms}\n", "http.timeouts.stall: write a duration of at least 1s, or"],
  ["http:\n  timeouts: {idle: 0}\n", "http.timeouts.idle: write a duration such as 30s or 10m"],
  ["http:\n  draintimeout: soon\n", "config.yml:5:3: http.draintimeout: write a duration"],
  ["log:\n  level: loud\n", "config.yml:5:3: log.level: choose one of: error, warn, info, debug"],
  ["http:\n  draintimeout: 9999999h\n", "http.draintimeout: write a duration of at most 1h"],
  ["http:\n  headers: {Content-Length: ['1']}\n", "this header is the server's own to set"],
  ["http:\n  headers: 5\n", "config.yml:5:3: http.headers: write a mapping"],
  ["tags: {maxtags: -1}\n", "config.yml:4:8: tags.maxtags: write a number above 0"],
  ["http: *none\n", "config.yml:4:7: no anchor is called none"],
  ["http:\n\taddr: ':1'\n", "config.yml:5:1: Tabs are not allowed as indentation"],
  ["---\nversion: 0.1\n", "config.yml:4:1: a second document begins here"],
  ["http: 5\n", "config.yml:4:1: http: write a mapping"],
  ["http:\n  headers:\n    X: nosniff\n", "config.yml:6:5: http.headers.X: write a list of texts"],
  ["catalog:\n  maxentries: 0\n", "config.yml:5:3: catalog.maxentries: "],
  [
    "validation:\n  manifests:\n    urls:\n      allow: ['(']\n",
    "this is not a regular expression",
  ],
  ["http: {\n", "config.yml:5:1: "],
  ["http: {}\nhttp: {}\n", "config.yml:5:1: Map keys must be unique"],
  ["auth: {htpasswd: {realm: r, path: p}, silly: {realm: r, service: s}}\n", "auth: choose one of"],
  ["auth:\n  htpasswd: {realm: r}\n", "config.yml:5:3: auth.htpasswd.path: is missing"],
  ['auth:\n  htpasswd: {realm: "a\\nb", path: p}\n', "realm: this goes into a header"],
  ["auth:\n  token: {realm: r, service: s, issuer: i}\n", "auth.token: name the keys that sign"],
  ["auth:\n  silly: {realm: r, service: s}\n  access: []\n", "auth.access: write a rule, or leave"],
  [
    "auth:\n  silly: {realm: r, service: s}\n  access: [{repository: a, actions: [pull], users: [b]}]\n",
    "config.yml:6:3: auth.access: rules need users: set auth.htpasswd",
  ],
  [
    `${htpasswd}  access:\n    - {repository: a, actions: [pull], anonymous: true}\n    - {repository: a, actions: [pul], anonymous: true}\n`,
    "config.yml:8:33: auth.access.1.actions.0: choose one of: pull, push, delete, *",
  ],
  [
    `${htpasswd}  access:\n    - repository: a\n      actions: [pull]\n`,
    "config.yml:7:7: auth.access.0: say who: users",
  ],
  [
    `${htpasswd}  access:\n    - repository: A\n      actoins: [pull]\n`,
    "config.yml:8:7: auth.access.0.actoins: this registry knows no such key; did you mean actions",
  ],
  [`${htpasswd}  trustedproxies: [10.0.0.0/33]\n`, "write an address or a network"],
  [`${htpasswd}  failedlogins: {attempts: 0}\n`, "disabled: true turns the limit off"],
  ["http:\n  tls: {certificate: c}\n", "config.yml:5:3: http.tls.key: is missing"],
  [`${tls}, minimumtls: tls1.0}\n`, "http.tls.minimumtls: choose one of: tls1.2, tls1.3"],
  [
    `${tls}, ciphersuites: [RC4]}\n`,
    "http.tls.ciphersuites.0: choose one of: TLS_AES_128_GCM_SHA256",
  ],
  [`${tls}, clientauth: request-client-cert}\n`, "clientauth: set http.tls.clientcas as well"],
])("refuses %j", (addition, message) => {
  expect(() => read(`${smallest}${addition}`)).toThrow(message);
});

it.each([
  ["# nothing\n", "config.yml: it is empty: begin it with version: 0.1"],
  ["text", "config.yml:1:1: (top level): write a mapping"],
  ["storage: {inmemory: }\n", "version: is missing"],
  ["version: 0.1\n", "storage: is missing"],
  ["version: 0.1\nstorage: inmemory\nauth: htpasswd\n", "auth.htpasswd.realm: is missing"],
  ["version: 0.2\nstorage: {inmemory: }\n", "only version 0.1 is known"],
  ["version: 0.1\nstorage: {s3: {}}\n", "storage: choose one of: filesystem, inmemory"],
  ["version: 0.1\nstorage: {}\n", "config.yml:2:1: storage: choose one of: filesystem, inmemory"],
  ["version: 0.1\nstorage: {floppy: {}}\n", "storage.floppy: this registry knows no such key"],
  ["- a\n", "version: is missing"],
])("refuses the file %j", (text, message) => {
  expect(() => read(text)).toThrow(message);
});

it("reads who may do what, and what is spoken", () => {
  const { auth, http } = read(
    `${smallest}${htpasswd}  access: [{repository: "team/*", actions: [pull], users: ["*"]}]\n${tls}, clientcas: [a]}\n`,
  );

  expect(auth).toEqual({
    htpasswd: { realm: "r", path: "p" },
    access: [
      { repository: "team/*", actions: ["pull"], users: ["*"], groups: [], anonymous: false },
    ],
    failedlogins: { disabled: false, attempts: 10 },
    trustedproxies: [],
  });
  expect(http.tls).toMatchObject({ certificate: "c", key: "k", minimumtls: "tls1.2" });
  expect(http.http2).toEqual({ disabled: false });
});

it("says all that is wrong, one line each", () => {
  expect(() => read(`${smallest}a: 1\nb: 2\n`)).toThrow(
    /^config.yml:4:1: a: .*\nconfig.yml:5:1: b: /,
  );
});

it.each([
  [{ REGISTRY_HTTP_ADDR: "0.0.0.0:6000" }, { http: { addr: "0.0.0.0:6000" } }],
  [{ REGISTRY_STORAGE_DELETE_ENABLED: "true" }, { storage: { delete: { enabled: true } } }],
  [
    { REGISTRY_STORAGE: "filesystem", REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: "/x" },
    { storage: { choice: { driver: "filesystem", options: { rootdirectory: "/x" } } } },
  ],
  [{ REGISTRY_HTTP_HEADERS_Vary: "[Accept]" }, { http: { headers: { vary: ["Accept"] } } }],
  [{ REGISTRY_CONFIGURATION_PATH: "/etc/x" }, { http: { addr: ":5000" } }],
  [
    { REGISTRY_PORT: "tcp://10.0.0.1:5000", REGISTRY_SERVICE_HOST: "10.0.0.1" },
    { http: { addr: ":5000" } },
  ],
  [
    {
      REGISTRY_AUTH: "htpasswd",
      REGISTRY_AUTH_HTPASSWD_REALM: "Registry Realm",
      REGISTRY_AUTH_HTPASSWD_PATH: "/auth/htpasswd",
    },
    { auth: { htpasswd: { realm: "Registry Realm", path: "/auth/htpasswd" } } },
  ],
  [
    { REGISTRY_HTTP_TLS_CERTIFICATE: "/c", REGISTRY_HTTP_TLS_KEY: "/k" },
    { http: { tls: { certificate: "/c", key: "/k" } } },
  ],
  [{ REGISTRY_HTTP_SECRET: "123" }, { http: { secret: 123 } }],
  [
    {
      REGISTRY_NOTIFICATIONS_ENDPOINTS_0_NAME: "e",
      REGISTRY_NOTIFICATIONS_ENDPOINTS_0_URL: "http://h/",
    },
    { notifications: { endpoints: [{ name: "e" }] } },
  ],
  [{ REGISTRY_AUTH: "none" }, { auth: { none: {} } }],
  [{ REGISTRY_STORAGE_DELETE_ENABLED: "On" }, { storage: { delete: { enabled: true } } }],
  [
    { REGISTRY_PROXY: "{remoteurl: http://h, password: p}", REGISTRY_PROXY_USERNAME: "0123" },
    { proxy: { username: "0123" } },
  ],
])("lets %j override the file", (environment, expected) => {
  expect(read(smallest, environment)).toMatchObject(expected);
});

it.each([
  [{ REGISTRY_HTTP_NET: "pigeon" }, "REGISTRY_HTTP_NET: http.net: choose one of: tcp, unix"],
  [{ REGISTRY_AUTH: "htpasswd" }, /^REGISTRY_AUTH: auth.htpasswd.realm: is missing$/m],
  [{ REGISTRY_STORAGE: "s3" }, "REGISTRY_STORAGE: storage: choose one of: filesystem, inmemory"],
  [{ REGISTRY_HTTP_ADDR: "x" }, "REGISTRY_HTTP_ADDR: http.addr: write an address"],
  [{ REGISTRY_HTP_ADDR: ":1" }, "REGISTRY_HTP_ADDR: htp: this registry knows no such key"],
  [{ REGISTRY_HTTP: "{" }, /^REGISTRY_HTTP: this is not YAML: [^\n]*$/],
])("names the variable in %j", (environment, message) => {
  expect(() => read(smallest, environment)).toThrow(message);
});

it("says once what is wrong with an address", () => {
  expect(() => read(smallest, { REGISTRY_HTTP_ADDR: "''" })).toThrow(
    /^[^\n]*: write an address[^\n]*$/,
  );
});

it("takes anchors and merges", () => {
  const text = `${smallest}http:\n  headers: {X: &x [a], Y: *x}\nlog:\n  fields: {<<: {a: 1}, b: 2}\n`;

  const { http, log } = read(text);

  expect(http.headers).toEqual({ X: ["a"], Y: ["a"] });
  expect(log.fields).toEqual({ a: 1, b: 2 });
});

it("serves this machine only when there is no file", () => {
  expect(defaultRegistryConfig("/data")).toMatchObject({
    http: { addr: "127.0.0.1:5000" },
    storage: { delete: { enabled: true }, choice: { options: { rootdirectory: "/data" } } },
  });
  const environment = { REGISTRY_HTTP_ADDR: "127.0.0.1:6000" };
  expect(defaultRegistryConfig("/data", environment).http.addr).toBe("127.0.0.1:6000");
});
