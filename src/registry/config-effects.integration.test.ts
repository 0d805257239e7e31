import { access, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../base/clock.ts";
import { FakeLogger } from "../base/logger.fake.ts";
import { mediaTypes } from "../oci/manifest.ts";
import { issue } from "./certificate.fake.ts";
import { parseRegistryConfig } from "./config.ts";
import { openRegistry } from "./registry.ts";
import { absent, begin, digest, pushImage, putManifest } from "./served-registry.fake.ts";
import { ask, askHttp2, openSession } from "./tls-client.fake.ts";

// What the variables of registry:2 and the keys of its config.yml do, seen from outside.

/** `htpasswd -B -C 4`, for the password `password`. */
const hash = "$2b$04$qeuQTEh9sjk6SgeHff6eJemjZ0gKdbxaI/YOjwJ9P7on0D8TvqK2S";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "dewy-effects-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
});

it.each([
  ["true", 202],
  ["false", 405],
])("deletes where REGISTRY_STORAGE_DELETE_ENABLED says %s", async (value, status) => {
  const { address } = await serve({ STORAGE_DELETE_ENABLED: value });
  const { name } = await pushImage(address, "app", "v1");

  const answer = await fetch(`${address}/v2/app/manifests/${name}`, { method: "DELETE" });

  expect(answer.status).toBe(status);
});

it("asks for users by REGISTRY_AUTH and its realm and path alone", async () => {
  const path = join(directory, "htpasswd");
  await writeFile(path, `admin:${hash}\n`);
  const { address } = await serve({
    AUTH: "htpasswd",
    AUTH_HTPASSWD_REALM: "Registry Realm",
    AUTH_HTPASSWD_PATH: path,
  });
  const as = (password: string) => ({
    headers: { authorization: `Basic ${Buffer.from(`admin:${password}`).toString("base64")}` },
  });

  const nobody = await fetch(`${address}/v2/`);

  expect(nobody.status).toBe(401);
  expect(nobody.headers.get("www-authenticate")).toBe('Basic realm="Registry Realm"');
  expect((await fetch(`${address}/v2/`, as("guess"))).status).toBe(401);
  expect((await fetch(`${address}/v2/`, as("password"))).status).toBe(200);
});

it("speaks TLS by REGISTRY_HTTP_TLS_CERTIFICATE and _KEY", async () => {
  const { pem } = issue();
  await writeFile(join(directory, "domain.crt"), pem.cert);
  await writeFile(join(directory, "domain.key"), pem.key);

  const { address } = await serve({
    HTTP_TLS_CERTIFICATE: join(directory, "domain.crt"),
    HTTP_TLS_KEY: join(directory, "domain.key"),
  });

  expect(address).toMatch(/^https:/);
  expect(await ask(`${address}/v2/`, { ca: pem.cert })).toMatchObject({ status: 200, body: "{}" });
});

it("stores in Distribution's layout below rootdirectory", async () => {
  const rootdirectory = join(directory, "data");
  const { address } = await serve({ STORAGE_FILESYSTEM_ROOTDIRECTORY: rootdirectory });

  await pushImage(address, "app", "v1");

  const repository = join(rootdirectory, "docker/registry/v2/repositories/app");
  await access(join(repository, "_manifests/tags/v1/current/link"));
});

it.each([
  [{ HTTP_HOST: "https://registry.example.com" }, "https://registry.example.com/v2/"],
  [{ HTTP_RELATIVEURLS: "true" }, "/v2/"],
  [{}, "http://127.0.0.1:"],
])("writes locations by %j", async (variables, beginning) => {
  const { address } = await serve(variables);

  const location = await begin(address, "app");

  expect(location.slice(0, beginning.length)).toBe(beginning);
});

it("serves below REGISTRY_HTTP_PREFIX only", async () => {
  const { address } = await serve({ HTTP_PREFIX: "/reg/" });

  expect((await fetch(`${address}/reg/v2/`)).status).toBe(200);
  expect((await fetch(`${address}/v2/`)).status).toBe(404);
});

it("adds its headers to every answer, also to an error", async () => {
  const { address } = await serve({ HTTP_HEADERS: "{X-Content-Type-Options: [nosniff]}" });

  for (const path of ["/", "/v2/", `/v2/app/blobs/${absent}`]) {
    const { headers } = await fetch(`${address}${path}`);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  }
});

it("takes words of a proxy in front for what the client asked", async () => {
  const { address } = await serve();
  const headers = { "x-forwarded-proto": "https", "x-forwarded-host": "registry.example.com" };

  const answer = await fetch(`${address}/v2/app/blobs/uploads/`, { method: "POST", headers });

  expect(answer.headers.get("location")).toMatch(/^https:\/\/registry\.example\.com\/v2\/app\//);
});

it("gives at most tags.maxtags tags on a page, and all of them to who asks for no page", async () => {
  const { address } = await serve({ TAGS_MAXTAGS: "1" });
  await pushImage(address, "app", "v1");
  await pushImage(address, "app", "v2");

  const page = await fetch(`${address}/v2/app/tags/list?n=5`);
  const all = await fetch(`${address}/v2/app/tags/list`);

  expect(await page.json()).toEqual({ name: "app", tags: ["v1"] });
  expect(page.headers.get("link")).toContain("last=v1");
  expect(await all.json()).toEqual({ name: "app", tags: ["v1", "v2"] });
});

it("refuses pages of the catalog above catalog.maxentries", async () => {
  const { address } = await serve({ CATALOG_MAXENTRIES: "5" });

  expect((await fetch(`${address}/v2/_catalog?n=5`)).status).toBe(200);
  const answer = await fetch(`${address}/v2/_catalog?n=6`);
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({
    errors: [{ code: "PAGINATION_NUMBER_INVALID", message: expect.stringContaining("at most 5") }],
  });
});

it.each([
  ["true", 201],
  ["false", 400],
])("takes manifests without their blobs where validation.disabled is %s", async (value, status) => {
  const { address } = await serve({ VALIDATION_DISABLED: value });
  const config = { mediaType: "a/config", digest: absent, size: 1 };

  const answer = await putManifest(address, "app/manifests/v1", manifestOf(config, []));

  expect(answer.status).toBe(status);
});

it.each([
  ["{allow: ['^https://files[.]example/']}", 201],
  ["{allow: ['^https://other[.]example/']}", 400],
  ["{allow: ['^https://'], deny: ['files']}", 400],
  ["{}", 201],
])(
  "takes layers that are kept elsewhere as validation.manifests.urls says: %s",
  async (urls, status) => {
    const { address } = await serve({ VALIDATION_MANIFESTS_URLS: urls });
    await pushImage(address, "app", "v1"); // for its config
    const config = { mediaType: "a/config", digest, size: 2048 };
    const layer = {
      mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar",
      ...{ digest: absent, size: 1, urls: ["https://files.example/layer"] },
    };

    const answer = await putManifest(address, "app/manifests/v2", manifestOf(config, [layer]));

    expect(answer.status).toBe(status);
  },
);

it.each([
  ["all", "", 400],
  ["none", "", 201],
  ["list", ", platformlist: [{os: linux, architecture: arm64}]", 201],
  ["list", ", platformlist: [{os: linux, architecture: amd64}]", 400],
])(
  "takes an index without its images as validation.manifests.indexes says: %s%s",
  async (platforms, list, status) => {
    const indexes = `{platforms: ${platforms}${list}}`;
    const { address } = await serve({ VALIDATION_MANIFESTS_INDEXES: indexes });
    const platform = { os: "linux", architecture: "amd64" };
    const child = { mediaType: mediaTypes.ociManifest, digest: absent, size: 1, platform };
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [child] };

    const answer = await fetch(`${address}/v2/app/manifests/v1`, {
      method: "PUT",
      headers: { "content-type": mediaTypes.ociIndex },
      body: JSON.stringify(index),
    });

    expect(answer.status).toBe(status);
  },
);

it("says once what has no effect", async () => {
  const { logger } = await serve({ STORAGE_CACHE_BLOBDESCRIPTOR: "inmemory" });

  expect(logger.messages("info").filter((line) => line.includes("no effect"))).toEqual([
    "storage.cache has no effect here: the size of a blob is read from its file",
  ]);
});

it("cuts a request off that does not end within http.draintimeout", async ({ signal }) => {
  const registry = await serve({ HTTP_DRAINTIMEOUT: "50ms" });
  const { port, pathname, search } = new URL(await begin(registry.address, "app"));
  const socket = connect(Number(port), "127.0.0.1");
  const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => {}).resume();
  socket.write(
    `PATCH ${pathname}${search} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n`,
  );
  await new Promise((resolve) => socket.once("data", resolve)); // its turn has come

  await registry.close({ signal });

  await ended;
});

it("does all that a config.yml for production asks for, at once", async () => {
  const { pem } = issue();
  await writeFile(join(directory, "domain.crt"), pem.cert);
  await writeFile(join(directory, "domain.key"), pem.key);
  await writeFile(join(directory, "htpasswd"), `admin:${hash}\n`);
  const text = `
version: 0.1
log: {level: info, formatter: json}
storage:
  filesystem: {rootdirectory: ${directory}/data}
  delete: {enabled: true}
  cache: {blobdescriptor: inmemory}
http:
  addr: 127.0.0.1:0
  headers: {X-Content-Type-Options: [nosniff]}
  tls: {certificate: ${directory}/domain.crt, key: ${directory}/domain.key}
auth:
  htpasswd: {realm: basic-realm, path: ${directory}/htpasswd}
health:
  storagedriver: {enabled: true, interval: 10s, threshold: 3}
`;

  const { address } = await opened(text, {});

  const session = openSession(address, pem.cert);
  const blobPath = `/v2/app/blobs/${absent}`;
  const nobody = await askHttp2(session, { ":path": "/v2/" });
  expect(nobody.status).toBe(401);
  expect(nobody.headers).toMatchObject({
    "www-authenticate": 'Basic realm="basic-realm"',
    "x-content-type-options": "nosniff",
  });
  const authorization = `Basic ${Buffer.from("admin:password").toString("base64")}`;
  const deletion = { ":method": "DELETE", ":path": blobPath, authorization };
  const answer = await askHttp2(session, deletion);
  expect(answer.status).toBe(404); // where it may not be deleted, 405
});

/** `variables` come without their `REGISTRY_`. */
async function serve(variables: Record<string, string> = {}) {
  const environment = Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [`REGISTRY_${name}`, value]),
  );
  const text = `version: 0.1\nstorage: {filesystem: {rootdirectory: ${directory}/registry}}\nhttp: {addr: "127.0.0.1:0"}\n`;
  return await opened(text, environment);
}

async function opened(text: string, environment: Record<string, string>) {
  const config = parseRegistryConfig({ file: "config.yml", text, environment });
  const logger = new FakeLogger();
  const registry = await openRegistry(config, { clock: systemClock, logger });
  onTestFinished(() => registry.close({ signal: AbortSignal.abort() }));
  return { ...registry, logger };
}

function manifestOf(config: object, layers: readonly object[]): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers });
}
