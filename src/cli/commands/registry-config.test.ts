import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, it, onTestFinished } from "vitest";
import { issue } from "../../registry/certificate.fake.ts";
import { planned } from "../main.fake.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "dewy-config-check-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
});

it("says in one line what would be served, and changes nothing", async () => {
  const { pem } = issue();
  await write("domain.crt", pem.cert);
  await write("domain.key", pem.key);

  const answer = await check(`
http: {addr: ":443", tls: {certificate: ${at("domain.crt")}, key: ${at("domain.key")}}}
auth: {htpasswd: {realm: r, path: ${at("auth/htpasswd")}}}
`);

  const line = `config.yml: :443 with TLS, ${at("registry")}, htpasswd`;
  expect(answer).toMatchObject({ status: 0, noted: [], printed: [line] });
  expect((await readdir(directory)).sort()).toEqual(["config.yml", "domain.crt", "domain.key"]);
});

it("does not wait for a file that is a pipe nobody writes to", async () => {
  execFileSync("mkfifo", [join(directory, "config.yml")]);

  const answer = await planned(["registry", "config", "check", "config.yml"], { directory });

  expect(answer.status).toBe(2);
  expect(answer.noted).toEqual([
    expect.stringMatching("the config file config.yml cannot be read: it is a pipe"),
  ]);
});

it("tells what is taken and has no effect", async () => {
  const { status, noted } = await check("http: {secret: s}\n");

  expect({ status, noted }).toEqual({
    status: 0,
    noted: [expect.stringContaining("http.secret has no effect here: ")],
  });
});

it("names every file that a start would trip over, with the place that names it", async () => {
  const { pem } = issue();
  await write("domain.crt", pem.cert);
  await write("other.key", issue().pem.key);
  await write("htpasswd", "alice:{SHA}x\n");
  await write("htpasswd.token-key.pem", "none");
  await write("file", "");

  const { status, noted } = await check(`
http: {tls: {certificate: ${at("domain.crt")}, key: ${at("other.key")}}}
auth:
  htpasswd: {realm: r, path: ${at("htpasswd")}}
  tokenserver: {enabled: true, issuer: i, service: s}
notifications:
  queue: {directory: ${at("file/queue")}}
  endpoints: [{name: e, url: "http://127.0.0.1/"}]
`);

  expect(status).toBe(2);
  expect(noted).toEqual([
    expect.stringMatching(
      /^dewy: config.yml:6:24: auth.htpasswd.path: .*htpasswd:1: the line has a hash that is not bcrypt/,
    ),
    expect.stringMatching(/^dewy: config.yml:7:3: auth.tokenserver.key: .* not a private key/),
    expect.stringMatching(/^dewy: config.yml:4:8: http.tls: .* the key is not the certificate's/),
    `dewy: config.yml:9:11: notifications.queue.directory: the directory ${at("file/queue")} cannot be written to: ENOTDIR`,
  ]);
});

it("names a file that is not there, also where a variable names it", async () => {
  const { status, noted } = await check("", {
    REGISTRY_HTTP_TLS_CERTIFICATE: "/nowhere/domain.crt",
    REGISTRY_HTTP_TLS_KEY: "/nowhere/domain.key",
  });

  expect(status).toBe(2);
  expect(noted).toEqual([
    expect.stringMatching(
      /^dewy: REGISTRY_HTTP_TLS_CERTIFICATE: http.tls.certificate: \/nowhere\/domain.crt cannot be read/,
    ),
  ]);
});

it("names three lines at most of a file that has other hashes", async () => {
  await write("htpasswd", "alice:x\n".repeat(30));

  const { noted } = await check(`auth: {htpasswd: {realm: r, path: ${at("htpasswd")}}}\n`);

  expect(noted).toHaveLength(4);
  expect(noted[3]).toMatch(/htpasswd: 27 more lines are like that$/);
});

it("says that a socket's directory is not there, which a start does not make", async () => {
  const { status, noted } = await check(`http: {net: unix, addr: ${at("run/socket")}}\n`);

  expect(status).toBe(2);
  expect(noted.join()).toContain(`http.addr: the directory ${at("run")} is not there: make it`);
});

it("counts an issuer of tokens as somebody who is asked", async () => {
  const { printed } = await check(`
auth:
  oidc: [{issuer: "https://issuer.test", audience: a}]
  access: [{repository: "**", actions: [pull], users: ["*"]}]
`);

  expect(printed.join()).toMatch(/, oidc$/);
});

it.each([
  ["rootcertbundle", "there is no certificate in it"],
  ["jwks", "it is not JSON"],
])("looks into %s", async (key, reason) => {
  await write("keys", "none");

  const { status, noted } = await check(
    `auth: {token: {realm: r, service: s, issuer: i, ${key}: ${at("keys")}}}\n`,
  );

  expect(status).toBe(2);
  expect(noted.join()).toMatch(new RegExp(`config.yml:\\d+:\\d+: auth.token.${key}: .*${reason}`));
});

it("looks into what a directory of users needs, and where its tokens are signed", async () => {
  await write("key.pem", "none");

  const { status, noted } = await check(`
auth:
  ldap: {urls: ["ldaps://ldap.test"], basedn: dc=test, binddn: cn=a, bindpasswordfile: /nowhere}
  tokenserver: {enabled: true, issuer: i, service: s, key: ${at("key.pem")}}
`);

  expect(status).toBe(2);
  expect(noted).toEqual([
    expect.stringMatching(/config.yml:5:3: auth.ldap: .*bindpasswordfile \/nowhere cannot be read/),
    expect.stringMatching(/config.yml:6:55: auth.tokenserver.key: .*not a private key/),
  ]);
});

it("says when a certificate is over", async () => {
  const { pem } = issue({ from: new Date("2020-01-01"), to: new Date("2020-02-01") });
  await write("domain.crt", pem.cert);
  await write("domain.key", pem.key);

  const { noted } = await check(
    `http: {tls: {certificate: ${at("domain.crt")}, key: ${at("domain.key")}}}\n`,
  );

  expect(noted.join()).toMatch(/http.tls.certificate: it has expired at 2020-02-01/);
});

it("refuses a storage directory that a file stands in the way of", async () => {
  await write("file", "");

  const { status, noted } = await check("", {
    REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: at("file/below"),
  });

  expect(status).toBe(2);
  expect(noted.join()).toMatch(
    /REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: storage.filesystem.rootdirectory: .*ENOTDIR.*: move the file/,
  );
});

it("names keys that nobody reads, with the nearest that somebody does, line by line", async () => {
  const { status, noted } = await check("http: {adr: ':1'}\nhelth: {}\n");

  expect(status).toBe(2);
  expect(noted.map((line) => line.replace(/; .*did/, "; did"))).toEqual([
    "dewy: config.yml:3:8: http.adr: this registry knows no such key; did you mean addr",
    "dewy: config.yml:4:1: helth: this registry knows no such key; did you mean health",
  ]);
});

async function check(more: string, environment: Record<string, string> = {}) {
  const text = `version: 0.1\nstorage: {filesystem: {rootdirectory: ${at("registry")}}}\n${more}`;
  await write("config.yml", text);
  return await planned(["registry", "config", "check", "config.yml"], { directory, environment });
}

const at = (name: string): string => join(directory, name);

function write(name: string, text: string): Promise<void> {
  return writeFile(join(directory, name), text);
}
