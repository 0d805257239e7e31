import { expect, it } from "vitest";
import { parseRegistryConfig } from "./config.ts";

const smallest = "version: 0.1\nstorage:\n  inmemory:\n";
const endpoint = "notifications: {endpoints: [{name: e, url: 'https://user:password@h/x'";

it("reads notifications as Distribution's documentation has them", () => {
  const { notifications } = read(`
notifications:
  events:
    includereferences: true
  endpoints:
    - name: alistener
      disabled: false
      url: https://my.listener.com/event
      headers:
        Authorization: [Bearer token]
      timeout: 500ms
      threshold: 5
      backoff: 1s
      ignoredmediatypes:
        - application/octet-stream
      ignore:
        mediatypes:
           - application/octet-stream
        actions:
           - pull
`);

  expect(notifications).toMatchObject({
    events: { includereferences: true, version: 1, headpulls: false },
    endpoints: [
      {
        ...{ name: "alistener", disabled: false, timeout: 500, threshold: 5, backoff: 1_000 },
        ignoredmediatypes: ["application/octet-stream"],
        ignore: { mediatypes: ["application/octet-stream"], actions: ["pull"] },
      },
    ],
    queue: { maxsize: 64 * 1024 ** 2 },
  });
  expect(notifications.endpoints[0]?.headers.authorization?.reveal()).toBe("Bearer token");
});

it("fills in Distribution's defaults, and shows no secret", () => {
  const config = read(`${endpoint}, headers: , secret: s3cret}], queue: {maxsize: 2MiB}}\n`);

  expect(config.notifications).toMatchObject({
    endpoints: [{ disabled: false, timeout: 1_000, threshold: 10, backoff: 1_000, headers: {} }],
    queue: { maxsize: 2 * 1024 ** 2 },
  });
  expect(JSON.stringify(config)).not.toMatch(/password|s3cret/);
});

it("reads health and debug as Distribution's documentation has them", () => {
  const { health, http } = read(`
http:
  debug:
    addr: localhost:5001
    prometheus: {enabled: true, path: /metrics}
health:
  storagedriver: {enabled: true, interval: 10s, threshold: 3}
  file: [{file: /path/to/checked/file, interval: 10s}]
  http:
    - uri: http://server.to.check/must/return/200
      headers: {Authorization: [Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==]}
      statuscode: 200
      timeout: 3s
      interval: 10s
      threshold: 3
  tcp: [{addr: "redis-server.domain.com:6379", timeout: 3s, interval: 10s, threshold: 3}]
`);

  expect(http.debug).toEqual({
    addr: "localhost:5001",
    prometheus: { enabled: true, path: "/metrics" },
  });
  expect(health).toMatchObject({
    storagedriver: { enabled: true, interval: 10_000, threshold: 3 },
    file: [{ file: "/path/to/checked/file", interval: 10_000, threshold: 0 }],
    http: [{ statuscode: 200, timeout: 3_000, threshold: 3 }],
    tcp: [{ addr: "redis-server.domain.com:6379", timeout: 3_000 }],
  });
});

it("lets variables change an endpoint, and add one", () => {
  const { notifications } = read(`${endpoint}}]}\n`, {
    REGISTRY_NOTIFICATIONS_ENDPOINTS_0_THRESHOLD: "3",
    REGISTRY_NOTIFICATIONS_ENDPOINTS_1: "{name: f, url: 'https://f/'}",
  });

  expect(notifications.endpoints.map(({ name, threshold }) => [name, threshold])).toEqual([
    ["e", 3],
    ["f", 10],
  ]);
});

it("takes a hook that is switched off", () => {
  const hooks = "hooks: [{type: mail, disabled: true, levels: [panic], options: {from: a}}]";

  expect(read(`log: {${hooks}}\n`).log.hooks).toHaveLength(1);
});

it.each([
  ["log: {hooks: [{type: mail}]}", "this registry sends no mail: watch its log or its metrics"],
  ["notifications: {endpoints: [{url: 'https://h/'}]}", "endpoints.0.name: is missing"],
  ["notifications: {endpoints: [{name: e, url: 'h/x'}]}", "url: write it as https://host/path"],
  [`${endpoint}, timeout: soon}]}`, "endpoints.0.timeout: write a duration"],
  [`${endpoint}, timeout: 0s}]}`, "endpoints.0.timeout: write a duration of at least 1ms"],
  [`${endpoint}, treshold: 1}]}`, "endpoints.0.treshold: this registry knows no such key; did you"],
  [`${endpoint}, headers: {Host: [a]}}]}`, "this header is set by what it describes"],
  [`${endpoint}, headers: {A: ["b\\nc"]}}]}`, "a header is one line of ASCII"],
  [`${endpoint}, ignore: {actions: [eat]}}]}`, "choose one of: pull, push, mount, delete"],
  [`${endpoint}}, {name: e, url: 'https://h/'}]}`, "give each endpoint a name of its own"],
  ["notifications: {queue: {maxsize: 1KiB}}", "write a size of at least 1MiB"],
  ["notifications: {events: {version: 3}}", "notifications.events.version: choose one of: 1, 2"],
  ["http: {debug: {prometheus: {enabled: true}}}", "served at http.debug.addr: set that as well"],
  ["http: {debug: {addr: '5001'}}", "write an address as :5001 or 127.0.0.1:5001"],
  ["http: {debug: {addr: ':65536'}}", "http.debug.addr: no such port"],
  ["http: {addr: ':1', debug: {addr: ':1'}}", "http.debug: http.addr is this address already"],
  ["http: {net: unix}", "http.addr: write the path of a socket"],
  ["http: {net: unix, addr: ''}", "http.addr: write the path of a socket"],
  ["health: {storagedriver: {enabled: true, interval: 1ms}}", "a duration of at least 10ms"],
  ["health: {tcp: [{addr: redis}]}", "health.tcp.0.addr: write an address as host:port"],
  ["health: {http: [{uri: redis}]}", "health.http.0.uri: write it as https://host/path"],
  ["health: {file: [{interval: 1s}]}", "health.file.0.file: is missing"],
])("refuses %j", (text, message) => {
  let said = "";
  try {
    read(`${text}\n`);
  } catch (error) {
    said = String(error);
  }

  expect(said).toContain(message);
  expect(said).not.toContain("password");
});

function read(text: string, environment: Record<string, string> = {}) {
  return parseRegistryConfig({ file: "config.yml", text: `${smallest}${text}`, environment });
}
