import type { SecureServerOptions } from "node:http2";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { serveFakeGrpcRegistry } from "../../src/agent/registries/grpc.fake.ts";
import { openReleaseRegistry } from "../../src/agent/registries/index.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { describeWith } from "../component.ts";
import { type Authority, type Certificate, openAuthority } from "./certificates.ts";

describeWith("openssl")("grpc:// over TLS", () => {
  let authority: Authority;
  let server: Certificate;
  let client: Certificate;
  beforeAll(async () => {
    authority = await openAuthority();
    server = await authority.issue("server");
    client = await authority.issue("client");
  });
  afterAll(() => authority.close());

  it("trusts the authority it is given", async ({ signal }) => {
    const { cert: ca } = authority.ca;
    const follow = await serve(server.pem);

    expect(await (await follow(`ca=${ca}`)).tags({ signal })).toEqual(["v1.0.0"]);
  });

  it("trusts whom the system trusts when it is given none", async ({ signal }) => {
    const follow = await serve(server.pem);
    const registry = await follow("", { SSL_CERT_FILE: authority.ca.cert });

    expect(await registry.tags({ signal })).toEqual(["v1.0.0"]);
  });

  it("shows its certificate to a server that asks for one", async ({ signal }) => {
    const { cert: ca } = authority.ca;
    const follow = await serve({ ...server.pem, ca: authority.ca.pem.cert, requestCert: true });
    const query = `ca=${ca}&cert=${client.cert}&key=${client.key}`;

    expect(await (await follow(query)).tags({ signal })).toEqual(["v1.0.0"]);
    await expect((await follow(`ca=${ca}`)).tags({ signal })).rejects.toMatchObject({
      name: "ReleaseRegistryError",
      code: "UNAVAILABLE",
      hint: expect.stringContaining("?cert= and &key="),
    });
  });

  it.each([
    ["a server whose authority it does not know", "127.0.0.1", "?ca=/path/to/ca.pem"],
    ["a certificate for another host", "elsewhere", "the host name that the server's certificate"],
  ])("refuses %s, and says what to do", async (_what, host, hint) => {
    const { signal } = new AbortController();
    const isElsewhere = host === "elsewhere";
    const follow = await serve(
      isElsewhere ? (await authority.issue("elsewhere", "DNS:a.test")).pem : server.pem,
    );
    const query = isElsewhere ? `ca=${authority.ca.cert}` : "";

    await expect((await follow(query)).tags({ signal })).rejects.toMatchObject({
      name: "ReleaseRegistryError",
      code: "UNAVAILABLE",
      hint: expect.stringContaining(hint),
    });
  });

  it("tells a server without TLS from one that is down", async ({ signal }) => {
    const follow = await serve(undefined);

    await expect((await follow("")).tags({ signal })).rejects.toMatchObject({
      code: "UNAVAILABLE",
      hint: expect.stringContaining("?no-tls=true"),
    });
  });

  it.each([
    ["no such file", () => "ca=/nonexistent.pem", "cannot be read (ENOENT)", "check the path"],
    ["no PEM", () => `ca=${import.meta.filename}`, "is not a PEM file", "openssl x509"],
    ["no key", () => `cert=${client.cert}`, "a cert, and no key", "add key=PATH"],
    ["no certificate", () => `key=${client.key}`, "a key, and no cert", "add cert=PATH"],
    [
      "another's key",
      () => `cert=${client.cert}&key=${server.key}`,
      "cannot be used",
      "the key that belongs to cert",
    ],
    ["no TLS", () => `no-tls=1&ca=${client.cert}`, "ca is for TLS", "leave out ca or no-tls"],
  ])("refuses to start with %s", async (_what, query, message, hint) => {
    const follow = await serve(server.pem);

    await expect(follow(query())).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
  });
});

async function serve(secure: SecureServerOptions | undefined) {
  const fake = await serveFakeGrpcRegistry(secure);
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());

  return async (query: string, environment: Record<string, string> = {}) => {
    const parts = { http, clock: systemClock, environment };
    const { registry } = await openReleaseRegistry(`grpc://${fake.authority}?${query}`, parts);
    onTestFinished(() => registry.close());
    return registry;
  };
}
