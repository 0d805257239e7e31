import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../base/clock.fake.ts";
import { FakeLogger } from "../base/logger.fake.ts";
import { audience, startProvider } from "./auth/oidc-provider.fake.ts";
import { parseRegistryConfig } from "./config.ts";
import { openRegistry } from "./registry.ts";

const hour = 3_600_000;

it("lets a job push to the repository that its token names, and to no other", async () => {
  const { provider, as } = await stage();
  const token = await provider.token({ repository: "Acme/App", repository_owner: "acme" });

  for (const show of [basic("whoever", token), `Bearer ${token}`]) {
    expect(await as(show, "ci/acme/app/blobs/uploads/", "POST")).toBe(202);
    expect([401, 403]).toContain(await as(show, "ci/acme/other/blobs/uploads/", "POST"));
    expect([401, 403]).toContain(await as(show, "team/app/tags/list"));
  }
});

it("lets people do what their groups may", async () => {
  const { provider, as } = await stage();
  const token = await provider.token({ repository_owner: "acme", realm: { roles: ["a", "dev"] } });

  expect(await as(basic("", token), "team/app/tags/list")).toBe(404);
  expect(await as(basic("", token), "team/app/blobs/uploads/", "POST")).toBe(403);
});

it.each(["acme/**", "../x", "acme/app/", "", "acme app"])(
  "takes no repository from the claim %j",
  async (repository) => {
    const { provider, as } = await stage();
    const token = await provider.token({ repository, repository_owner: "acme" });

    expect(await as(basic("x", token), "ci/acme/app/tags/list")).toBe(403);
  },
);

it("refuses tokens that are not the provider's, not for us, or not of now", async () => {
  const { provider, as } = await stage();
  const owner = { repository_owner: "acme", realm: { roles: ["dev"] } };
  const good = provider.forged(owner);
  const [head, , signature] = good.split(".");
  const other = Buffer.from(JSON.stringify({ iss: provider.issuer, exp: 4e9 })).toString(
    "base64url",
  );
  const unsigned = Buffer.from('{"alg":"none"}').toString("base64url");
  const bad = [
    provider.forged({ ...owner, aud: "https://other.test" }),
    provider.forged({ ...owner, iss: `${provider.issuer}/` }),
    provider.forged({ ...owner, exp: 1_000 }),
    provider.forged({ ...owner, nbf: Math.floor(Date.now() / 1000) + 900 }),
    provider.forged({ ...owner, exp: undefined }),
    provider.forged({ ...owner, repository_owner: "mallory" }),
    provider.forged({ ...owner, sub: undefined }),
    provider.forged(owner, { alg: "HS256" }),
    provider.forged(owner, { alg: "none" }),
    `${unsigned}.${good.split(".")[1]}.`,
    `${head}.${other}.${signature}`,
    `${good.slice(0, -8)}AAAAAAAA`,
    "eyJ.eyJ.x",
    "",
  ];

  expect(await as(basic("x", good), "team/app/tags/list")).toBe(404);
  for (const token of bad) {
    expect(await as(basic("x", token), "team/app/tags/list")).toBe(401);
    expect(await as(`Bearer ${token}`, "team/app/tags/list")).toBe(401);
  }
});

it("says in the log, and only there, why a token does not do", async () => {
  const { provider, as, logger } = await stage();
  const token = provider.forged({ aud: "https://other.test" });

  await as(basic("job", token), "team/app/tags/list");

  const line = logger.lines.find(({ message }) => message === "login failed");
  expect(line?.fields).toMatchObject({ user: "job", reason: expect.stringContaining("aud") });
  expect(JSON.stringify(logger.lines)).not.toContain(token);
});

it("learns of a new key with the first token of it, and asks no more than that", async () => {
  const { provider, as, clock } = await stage();
  const old = await provider.token({ repository_owner: "acme", realm: { roles: ["dev"] } });
  expect(await as(basic("x", old), "team/app/tags/list")).toBe(404);
  await clock.advance(31_000);

  provider.rotate();
  const fresh = await provider.token({ repository_owner: "acme", realm: { roles: ["dev"] } });

  expect(await as(basic("x", fresh), "team/app/tags/list")).toBe(404);
  expect(provider.fetches()).toBe(2);
  const odd = provider.forged({}, { kid: "nobody's" });
  expect(await as(basic("x", odd), "team/app/tags/list")).toBe(401);
  expect(provider.fetches()).toBe(2);
});

it("goes on by the keys it has while the issuer is down, and says 503 without any", async () => {
  const first = await stage();
  const claims = { repository_owner: "acme", realm: { roles: ["dev"] }, exp: 4_000_000_000 };
  const [one, two] = [first.provider.forged(claims), first.provider.forged({ ...claims, a: 1 })];
  expect(await first.as(basic("x", one), "team/app/tags/list")).toBe(404);
  const second = await stage(first.provider);
  await first.provider.stop();
  await first.clock.advance(2 * hour);

  expect(await first.as(basic("x", two), "team/app/tags/list")).toBe(404);
  expect(await second.as(basic("x", one), "team/app/tags/list")).toBe(503);
  expect(JSON.stringify(first.logger.lines)).toContain("an issuer of tokens does not answer");
  expect(second.logger.lines.map(({ fields }) => String(fields.error)).join()).toContain(
    `the keys of ${first.provider.issuer} cannot be had`,
  );
  await first.provider.start();
  expect(await second.as(basic("x", one), "team/app/tags/list")).toBe(404);
});

it("hands out tokens of its own that last no longer than the provider's", async () => {
  const { provider, as, address, clock } = await stage();
  const exp = Math.floor(clock.now().getTime() / 1000) + 120;
  const shown = provider.forged({ repository_owner: "acme", realm: { roles: ["dev"] }, exp });
  const query = "?service=dewy&scope=repository:team/app:pull,push&offline_token=true";
  const headers = { authorization: basic("job", shown) };

  const answer = await fetch(`${address}/auth/token${query}`, { headers });
  const { token, expires_in: lifetime } = (await answer.json()) as Record<string, unknown>;

  expect(answer.status).toBe(200);
  expect(lifetime).toBeLessThanOrEqual(180);
  expect(await as(`Bearer ${token}`, "team/app/tags/list")).toBe(404);
  await clock.advance(181_000);
  expect(await as(`Bearer ${token}`, "team/app/tags/list")).toBe(401);
});

async function stage(known?: Awaited<ReturnType<typeof startProvider>>) {
  const provider = known ?? (await startProvider());
  const directory = await mkdtemp(join(tmpdir(), "dewy-oidc-"));
  const section = {
    oidc: [
      {
        issuer: provider.issuer,
        audience,
        groupsclaim: "realm.roles",
        requiredclaims: { repository_owner: "acme" },
      },
    ],
    access: [
      { repository: "ci/{repository}", actions: ["push"], claims: { repository_owner: "acme" } },
      { repository: "team/*", actions: ["pull"], groups: ["dev"] },
    ],
    tokenserver: { key: join(directory, "key.pem") },
  };
  const text = JSON.stringify({
    ...{ version: 0.1, storage: { inmemory: {} }, http: { addr: "127.0.0.1:0" }, auth: section },
  });
  const clock = new FakeClock(new Date());
  const logger = new FakeLogger();
  const config = parseRegistryConfig({ file: "config.yml", text, environment: {} });
  const registry = await openRegistry(config, { clock, logger });
  onTestFinished(async () => {
    await registry.close({ signal: AbortSignal.abort() });
    await rm(directory, { recursive: true, force: true });
  });
  const { address } = registry;
  const as = async (authorization: string, path: string, method = "GET") =>
    (await fetch(`${address}/v2/${path}`, { method, headers: { authorization } })).status;
  return { provider, as, address, clock, logger };
}

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
