import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FakeLogger } from "../base/logger.fake.ts";
import { parseChallenges } from "../oci/challenge.ts";
import { hash } from "./auth/own-tokens.fake.ts";
import { blob, digest, openHere } from "./served-registry.fake.ts";

interface Issued {
  token: string;
  access_token: string;
  expires_in: number;
  issued_at: string;
  refresh_token?: string;
}

describe("the token server", () => {
  it("lets a client pull what is public by what the challenges say", async () => {
    const { address, as, tokenFor } = await openWith();
    const place = `/v2/public/app/blobs/${digest}`;
    const upload = `/v2/public/app/blobs/uploads/?digest=${digest}`;
    await as(basic("alice"), upload, { method: "POST", body: Buffer.from(blob) });

    // As docker does: it asks for the way in, and gives up where that is a password.
    const [challenge] = parseChallenges(
      (await fetch(`${address}/v2/`)).headers.get("www-authenticate") ?? "",
    );
    expect(challenge).toEqual({
      scheme: "bearer",
      parameters: { realm: `${address}/auth/token`, service: "dewy" },
    });
    const token = await tokenFor(undefined, "repository:public/app:pull");

    expect((await as(`Bearer ${token}`, "/v2/")).status).toBe(200);
    expect((await as(`Bearer ${token}`, place)).status).toBe(200);
    const refused = await as(`Bearer ${token}`, upload, { method: "POST" });
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toBe(
      `Bearer realm="${address}/auth/token",service="dewy",scope="repository:public/app:pull,push",error="insufficient_scope"`,
    );
  });

  it("lets who knows a password push with it, with a token, and with a new one", async () => {
    const { as, form, tokenFor } = await openWith();
    const upload = `/v2/team/app/blobs/uploads/?digest=${digest}`;
    const push = async (authorization: string) =>
      (await as(authorization, upload, { method: "POST", body: Buffer.from(blob) })).status;
    const scope = "repository:team/app:pull,push";
    const login = { grant_type: "password", username: "alice", password: "password" };

    const first = await form({ ...login, service: "dewy", access_type: "offline", scope });
    const issued = (await first.json()) as Issued;
    const { refresh_token = "" } = issued;
    const second = await form({ grant_type: "refresh_token", refresh_token, scope });

    expect(first.headers.get("cache-control")).toBe("no-store");
    expect(issued).toMatchObject({ access_token: issued.token, expires_in: 300 });
    expect(issued.issued_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const { token } = (await second.json()) as Issued;
    const tokens = [issued.token, token, await tokenFor(basic("alice"), scope)];
    for (const one of tokens) expect(await push(`Bearer ${one}`)).toBe(201);
    expect(await push(basic("alice"))).toBe(201);
  });

  it.each([
    ["a wrong password", { grant_type: "password", username: "alice", password: "x" }, 401],
    ["no user", { grant_type: "password", password: "x" }, 400],
    ["no password", { grant_type: "password", username: "alice" }, 400],
    ["a token that is none", { grant_type: "refresh_token", refresh_token: "e30.e30.e30" }, 401],
    ["no token", { grant_type: "refresh_token" }, 400],
    ["another grant", { grant_type: "authorization_code", code: "x" }, 400],
    ["no grant", {}, 400],
    ["another service", { grant_type: "password", service: "other" }, 400],
    ["a scope without end", { grant_type: "refresh_token", scope: "x".repeat(5_000) }, 400],
  ])(
    "refuses a form with %s in the words of OAuth and of the registry",
    async (_what, fields, status) => {
      const { form, logger } = await openWith();

      const response = await form(fields as Record<string, string>);

      expect(response.status).toBe(status);
      expect(await response.json()).toMatchObject({
        error: expect.stringMatching(/^(invalid_grant|invalid_request|unsupported_grant_type)$/),
        errors: [{ code: expect.any(String), message: expect.any(String) }],
      });
      expect(response.headers.has("www-authenticate")).toBe(status === 401);
      expect(logger.lines.filter(({ level }) => level === "error")).toEqual([]);
    },
  );

  it.each([
    ["scope=%00", 200],
    ["scope=&scope=&scope=repository:", 200],
    ["scope=repository:a:pull%20repository:b:pull", 200],
    ["account=mallory&client_id=%FF&offline_token=maybe", 200],
    ["%%%", 200],
    [`scope=${"repository:a:*+".repeat(250)}`, 400],
    ["service=", 400],
  ])("answers GET ?%s", async (query, status) => {
    const { address } = await openWith();

    expect((await fetch(`${address}/auth/token?${query}`)).status).toBe(status);
  });

  it.each([
    ["application/json", '{"grant_type":"password"}', 400],
    ["text/plain", "grant_type=password", 400],
    ["application/x-www-form-urlencoded", "x".repeat(70_000), 413],
    ["application/x-www-form-urlencoded; charset=utf-8", "%%%&=&&", 400],
  ])("refuses a body of %s that is none", async (type, body, status) => {
    const { address } = await openWith();
    const headers = { "content-type": type };

    const response = await fetch(`${address}/auth/token`, { method: "POST", headers, body });

    expect(response.status).toBe(status);
    expect((await fetch(`${address}/auth/token`)).status).toBe(200);
  });

  it.each([
    ["Basic !!!", 401],
    ["Bearer e30.e30.e30", 401],
    ["Digest x", 401],
    ["Basic Og==", 200], // podman's way to say that it has no password
  ])("answers %s with %d", async (authorization, status) => {
    const { as } = await openWith();

    expect((await as(authorization, "/auth/token")).status).toBe(status);
  });

  it("has no other methods", async () => {
    const { as } = await openWith();

    const response = await as(basic("alice"), "/auth/token", { method: "DELETE" });

    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD, POST"]);
  });

  it("forgets a client that goes away in the middle of its form", async () => {
    const { address, logger } = await openWith();
    const socket = createConnection(Number(new URL(address).port), "127.0.0.1");
    const type = "Content-Type: application/x-www-form-urlencoded";

    const head = `POST /auth/token HTTP/1.1\r\nHost: a\r\n${type}\r\nContent-Length: 99\r\n\r\n`;

    socket.write(`${head}grant`, () => socket.destroy());

    const requests = () => logger.lines.filter(({ message }) => message === "request");
    await expect
      .poll(requests)
      .toEqual([expect.objectContaining({ fields: expect.objectContaining({ status: 499 }) })]);
    expect(logger.lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  it("tells whoever guesses to wait, here and at the gate", async () => {
    const { as, form } = await openWith("", "  failedlogins: {attempts: 2}");
    const guess = (password: string) =>
      form({ grant_type: "password", username: "alice", password });

    const statuses = [await guess("a"), await guess("b"), await guess("password")];

    expect(statuses.map(({ status }) => status)).toEqual([401, 401, 429]);
    expect(statuses[2]?.headers.get("retry-after")).toBe("1");
    expect((await as(basic("alice"), "/v2/")).status).toBe(429);
    expect((await as(basic("bob"), "/auth/token")).status).toBe(200);
  });

  it.each([
    ["host: https://r.test, ", "https://r.test/auth/token"],
    ["prefix: /x/, ", "ADDRESS/x/auth/token"],
    ["relativeurls: true, ", "ADDRESS/auth/token"],
  ])("is where clients reach it with http: {%s…}", async (http, expected) => {
    const { address, origin } = await openWith(http);

    const response = await fetch(`${address}/v2/`);

    const realm = expected.replace("ADDRESS", origin);
    expect(response.headers.get("www-authenticate")).toContain(`realm="${realm}"`);
    const path = new URL(realm).pathname;
    expect((await fetch(`${origin}${path}`)).status).toBe(200);
  });

  it("says https where the proxy in front says so", async () => {
    const { address } = await openWith();
    const headers = { "x-forwarded-proto": "https", "x-forwarded-host": "r.test" };

    const response = await fetch(`${address}/v2/`, { headers });

    expect(response.headers.get("www-authenticate")).toContain('realm="https://r.test/auth/token"');
  });

  it("hands out tokens also where nothing may be written", async () => {
    const readonly = "  maintenance: {readonly: {enabled: true}}";
    const { form } = await openWith("", "", readonly);

    const response = await form({ grant_type: "password", username: "bob", password: "password" });

    expect(response.status).toBe(200);
  });

  it.each(["  tokenserver: {enabled: false}", ""])("is not there with %j", async (section) => {
    const { address } = await openWith("", "", "", section);

    expect((await fetch(`${address}/auth/token`)).status).toBe(404);
    expect((await fetch(`${address}/v2/`)).headers.get("www-authenticate")).toBe('Basic realm="R"');
  });

  it("writes neither passwords nor tokens into its log", async () => {
    const { tokenFor, as, form, logger } = await openWith();
    const token = await tokenFor(basic("alice"), "repository:team/app:pull");
    await as(`Bearer ${token}x`, "/v2/");
    await form({ grant_type: "password", username: "alice", password: "hunter22" });
    await form({ grant_type: "refresh_token", refresh_token: token });

    const text = JSON.stringify(logger.lines);
    expect(text).toContain("login failed");
    for (const secret of [token, token.split(".")[1] ?? token, "hunter22", '"password"']) {
      expect(text).not.toContain(secret);
    }
  });
});

async function openWith(http = "", more = "", storage = "", section = "  tokenserver: {}") {
  const directory = await mkdtemp(join(tmpdir(), "dewy-token-server-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "htpasswd");
  await writeFile(path, `alice:${hash}\nbob:${hash}\n`);
  const access = `  access:
    - {repository: public/*, actions: [pull], anonymous: true}
    - {repository: "**", actions: [push], users: [alice]}`;
  const users = `auth:\n  htpasswd: {realm: R, path: ${path}}`;
  const auth = [users, section, access, more].filter(Boolean).join("\n");
  const logger = new FakeLogger();
  const { address: origin } = await openHere(storage, http, logger, auth);
  const prefix = /prefix: (\S*)\/,/.exec(http)?.[1] ?? "";
  const address = `${origin}${prefix}`;
  const as = (authorization: string, place: string, init: RequestInit = {}) =>
    fetch(`${address}${place}`, { ...init, headers: { authorization } });
  const form = (fields: Record<string, string>) =>
    fetch(`${address}/auth/token`, { method: "POST", body: new URLSearchParams(fields) });
  const tokenFor = async (authorization: string | undefined, scope: string) => {
    const url = `${address}/auth/token?${new URLSearchParams({ service: "dewy", scope })}`;
    const headers = authorization === undefined ? {} : { authorization };
    return ((await (await fetch(url, { headers })).json()) as Issued).token;
  };
  return { origin, address, logger, as, form, tokenFor };
}

function basic(user: string): string {
  return `Basic ${Buffer.from(`${user}:password`).toString("base64")}`;
}
