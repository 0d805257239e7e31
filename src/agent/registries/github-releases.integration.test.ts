import { expect, it, onTestFinished } from "vitest";
import { collect } from "../../base/bytes.ts";
import { FakeClock } from "../../base/clock.fake.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { serve } from "../../base/local-server.fake.ts";
import { digestOf } from "../../oci/digest.ts";
import type { AgentEvent, Observe } from "../event.ts";
import { releaseRegistryContract } from "../release-registry.contract.ts";
import { type FakeGithub, serveFakeGithub } from "./github.fake.ts";
import { openReleaseRegistry } from "./index.ts";

const now = new Date("2026-01-01T00:00:00Z");

releaseRegistryContract("ghr://", async () => {
  const fake = await serveFakeGithub();
  return {
    registry: await follow(fake),
    another: () => follow(fake),
    publish: (tag, files) => fake.publish(tag, files),
    refuse(status, headers = {}) {
      const given = Object.entries(headers).filter(([, value]) => value !== "");
      fake.refuse = { status, headers: Object.fromEntries(given), message: "no" };
    },
    countedRequests: () => fake.requests.filter((line) => !line.endsWith("304")).length,
    secret: fake.token,
  };
});

it("leaves drafts out", async ({ signal }) => {
  const fake = await serveFakeGithub();
  fake.publish("v1.0.0", {});
  fake.publish("v2.0.0", {}, { draft: true });

  expect(await (await follow(fake)).tags({ signal })).toEqual(["v1.0.0"]);
});

it("leaves out what GitHub calls a pre-release, whatever the tag says, unless told", async ({
  signal,
}) => {
  const fake = await serveFakeGithub();
  fake.publish("v1.0.0", {});
  fake.publish("v2.0.0", {}, { preRelease: true });

  expect(await (await follow(fake)).tags({ signal })).toEqual(["v1.0.0"]);
  const all = await follow(fake, { query: "?pre-release=true" });
  expect(await all.tags({ signal })).toEqual(["v2.0.0", "v1.0.0"]);
});

it("asks for the first page and one other, and for all when either has changed", async ({
  signal,
}) => {
  const fake = await serveFakeGithub();
  fake.pageSize = 1;
  for (const tag of ["v1.0.0", "v1.1.0", "v1.2.0"]) fake.publish(tag, {});
  const registry = await follow(fake);

  await registry.tags({ signal });
  expect(asked(fake)).toEqual(["1 200", "2 200", "3 200"]);
  for (let poll = 0; poll < 3; poll++) await registry.tags({ signal });
  expect(asked(fake)).toEqual(["1 304", "2 304", "1 304", "3 304", "1 304", "2 304"]);

  fake.publish("v1.3.0", {});
  expect((await registry.tags({ signal })).length).toBe(4);
  expect(asked(fake)).toEqual(["1 200", "2 200", "3 200", "4 200"]);
});

it("notices what changes on a later page only, and asks again for no more than changed", async ({
  signal,
}) => {
  const fake = await serveFakeGithub();
  fake.pageSize = 2;
  for (const tag of ["v0.9.0", "v1.0.0", "v1.1.0", "v1.2.0"]) fake.publish(tag, {});
  const registry = await follow(fake);
  await registry.tags({ signal });
  asked(fake);

  const [newest, second, third, ...older] = fake.releases;
  if (!newest || !second || !third) throw new Error("there are four releases");
  const backport = { ...third, tag: "v1.0.1" };
  fake.releases = [newest, second, backport, third, ...older];

  expect(await registry.tags({ signal })).toContain("v1.0.1");
  expect(asked(fake)).toEqual(["1 304", "2 200", "3 200"]);
});

it("lists once for a poll, however many releases it looks at", async ({ signal }) => {
  const fake = await serveFakeGithub();
  for (const tag of ["v1.0.0", "v1.1.0"]) fake.publish(tag, {});
  const registry = await follow(fake);

  for (const tag of await registry.tags({ signal })) await registry.release(tag, { signal });

  expect(asked(fake)).toEqual(["1 200"]);
});

it("tells of the rate limit when it is another than before", async ({ signal }) => {
  const fake = await serveFakeGithub();
  fake.publish("v1.0.0", {});
  fake.rateLimit = { limit: 5000, remaining: 4000, reset: 1_767_229_200 };
  const events: AgentEvent[] = [];
  const registry = await follow(fake, { observe: (event) => events.push(event) });

  for (let poll = 0; poll < 3; poll++) await registry.tags({ signal });
  fake.publish("v1.1.0", {});
  await registry.tags({ signal });

  const told = { type: "rate limit told", limit: 5000, resetAt: new Date("2026-01-01T01:00:00Z") };
  expect(events).toEqual([
    { ...told, remaining: 3999 },
    { ...told, remaining: 3998 },
  ]);
});

it("never shows its token to the object storage", async ({ signal }) => {
  const fake = await serveFakeGithub();
  fake.publish("v1.0.0", { app: "bytes" });
  const registry = await follow(fake);

  const [artifact] = (await registry.release("v1.0.0", { signal }))?.artifacts ?? [];
  if (!artifact) throw new Error("there is no artifact");
  const { bytes } = await registry.open(artifact, { signal, from: 0 });

  expect((await collect(bytes, 100)).toString()).toBe("bytes");
  expect(fake.leaked).toEqual([]);
});

it("takes the digest that GitHub tells, and otherwise what comes nearest", async ({ signal }) => {
  const fake = await serveFakeGithub();
  fake.publish("v1.0.0", { app: "bytes" });
  const digest = digestOf("bytes");

  const told = await (await follow(fake)).release("v1.0.0", { signal });
  fake.tellsDigest = false;
  const untold = await (await follow(fake)).release("v1.0.0", { signal });

  expect(told?.artifacts).toMatchObject([{ digest, identity: digest }]);
  expect(untold?.artifacts).toMatchObject([
    { digest: undefined, identity: "1@2026-01-01T00:00:00Z" },
  ]);
});

it.each([
  [
    "the reset",
    { "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(now.getTime() / 1000 + 90) },
    90_000,
  ],
  ["Retry-After", { "retry-after": "30" }, 30_000],
  ["a minute", {}, 60_000],
])("stays away until %s when the rate limit is used up", async (_until, headers, expected) => {
  const fake = await serveFakeGithub();
  fake.refuse = { status: 403, headers, message: "You have exceeded a secondary rate limit" };

  const tags = (await follow(fake)).tags({ signal: AbortSignal.timeout(5000) });

  await expect(tags).rejects.toMatchObject({ code: "RATE_LIMITED", retryAfterMs: expected });
});

it("sends the token to no place that somebody else names", async ({ signal }) => {
  const fake = await serveFakeGithub();
  fake.publish("v1.0.0", { app: "bytes" });
  const thief = await serve((_request, response) => response.end("stolen"));
  const asked: unknown[] = [];
  thief.server.on("request", ({ headers }) => asked.push(headers));
  const registry = await follow(fake);
  const artifact = (await registry.release("v1.0.0", { signal }))?.artifacts[0];
  if (!artifact) throw new Error("there is no artifact");

  const result = registry.open({ ...artifact, url: thief.url.href }, { signal, from: 0 });

  await expect(result).rejects.toMatchObject({ code: "INVALID_ANSWER" });
  expect(asked).toEqual([]);
});

it("does not repeat the token when GitHub, or a proxy before it, does", async ({ signal }) => {
  const fake = await serveFakeGithub();
  fake.refuse = { status: 403, headers: {}, message: `no rights for ${fake.token}` };

  await expect((await follow(fake)).tags({ signal })).rejects.toMatchObject({
    message: expect.stringContaining("no rights for ***"),
  });
});

async function follow(
  fake: FakeGithub,
  { query = "", observe = () => {} }: { query?: string; observe?: Observe } = {},
) {
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const environment = { GITHUB_TOKEN: fake.token, GITHUB_API_URL: fake.api };
  const parts = { http, clock: new FakeClock(now), environment, observe };
  return (await openReleaseRegistry(`ghr://acme/app${query}`, parts)).registry;
}

/** The pages that were asked for since the last time, and how that was answered. */
function asked(fake: FakeGithub): string[] {
  return fake.requests
    .splice(0)
    .map((line) => `${/[?&]page=(\d+)/.exec(line)?.[1] ?? 1} ${line.slice(-3)}`);
}

it("reads what workflows have attested of a file, and nothing where nobody has", async ({
  signal,
}) => {
  const fake = await serveFakeGithub();
  fake.publish("v1.0.0", { app: "attested", other: "not attested" });
  const mediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";
  fake.attestations.set(digestOf("attested"), [{ mediaType, content: 1 }]);
  const registry = await follow(fake);
  const { artifacts = [] } = (await registry.release("v1.0.0", { signal })) ?? {};

  const found: string[] = [];
  for (const artifact of artifacts) {
    const attached = registry.attachments?.({ tag: "v1.0.0", artifact }, { signal }) ?? [];
    for await (const { subject, bytes } of attached) found.push(`${subject} ${bytes}`);
  }

  expect(found).toEqual([`${digestOf("attested")} ${JSON.stringify({ mediaType, content: 1 })}`]);
});
