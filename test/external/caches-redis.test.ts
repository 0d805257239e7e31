import { expect, it, onTestFinished } from "vitest";
import { artifactCacheContract, cacheContract } from "../../src/agent/cache.contract.ts";
import { driverOf, Upstream } from "../../src/agent/caches/fleet.fake.ts";
import { type SharedRegistry, sharedRegistry } from "../../src/agent/caches/shared-registry.ts";
import { collect, streamOf } from "../../src/base/bytes.ts";
import { FakeLogger } from "../../src/base/logger.fake.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { describeWith } from "../component.ts";
import { openAuthority } from "./certificates.ts";
import { openedCache } from "./opened-cache.ts";
import { run } from "./program.ts";
import { startRedis } from "./redis.ts";

describeWith(
  "redis-server",
  "redis-cli",
  "openssl",
)("caches in Redis", () => {
  cacheContract("Redis", async () => {
    const { port } = await startRedis(["--requirepass", "s3cret-pass"]);
    return () => open(`redis://:s3cret-pass@127.0.0.1:${port}`);
  });

  artifactCacheContract("Redis", async () => {
    const { port } = await startRedis();
    return (maximumBytes) => open(`redis://127.0.0.1:${port}?max-size=${maximumBytes}`);
  });

  it.each([
    ["a password of the environment", "redis://127.0.0.1:PORT", { REDIS_PASSWORD: "s3cret-pass" }],
    ["a password", "redis://:s3cret-pass@127.0.0.1:PORT", {}],
    ["a user of the access list", "redis://dewy:p%40ss-w0rd@localhost:PORT/", {}],
  ])("logs in with %s", async (_what, url, environment) => {
    const { signal } = new AbortController();
    const { port } = await startRedis([
      ...["--requirepass", "s3cret-pass"],
      ...["--user", "dewy", "on", ">p@ss-w0rd", "~dewy:*", ...leastRights],
    ]);
    const cache = await open(url.replace("PORT", `${port}`), environment);

    const version = await cache.write("k", Buffer.from("x"), { ifVersion: "any" }, { signal });
    const artifact = { digest: digestOf("content"), sizeBytes: 7 };
    await cache.artifacts?.put(artifact, streamOf(Buffer.from("content")), { signal });

    expect((await cache.read("k", { signal }))?.version).toBe(version);
    const opened = await cache.artifacts?.open(artifact.digest, { signal, from: 3 });
    expect(opened?.from).toBe(3);
    await cache.artifacts?.remove(artifact.digest, { signal });
    expect(await cache.artifacts?.has(artifact.digest, { signal })).toBe(false);
  });

  it.each([
    ["a wrong password", "redis://:wr0ng-pass@127.0.0.1:PORT"],
    ["a wrong user", "redis://nobody:wr0ng-pass@127.0.0.1:PORT"],
    ["no password", "redis://127.0.0.1:PORT"],
  ])("says that it is refused with %s, and repeats no secret", async (_what, url) => {
    const { signal } = new AbortController();
    const { port } = await startRedis(["--requirepass", "s3cret-pass"]);
    const cache = await open(url.replace("PORT", `${port}`));

    const error = await cache.read("k", { signal }).catch((reason: unknown) => reason);

    expect(error).toMatchObject({ name: "CacheError", code: "UNAUTHORIZED" });
    expect(shown(error)).toContain(`redis://127.0.0.1:${port}/0 refuses this host`);
    expect(shown(error)).not.toContain("wr0ng");
  });

  it.each([
    ["/3", "3"],
    ["?db=4", "4"],
  ])("keeps to the database that %s names", async (suffix, database) => {
    const { signal } = new AbortController();
    const { port } = await startRedis();
    const cache = await open(`redis://127.0.0.1:${port}${suffix}`);

    await cache.write("k", Buffer.from("x"), { ifVersion: "any" }, { signal });

    expect(await run("redis-cli", ["-p", `${port}`, "-n", database, "keys", "*"])).toBe(
      "dewy:entry:k",
    );
  });

  it("stays out of every database when it may not enter its own", async ({ signal }) => {
    const { port } = await startRedis([
      ...["--user", "default", "on", "nopass", "~*", "+@all"],
      ...["--user", "dewy", "on", ">s3cret-pass", "~dewy:*", ...leastRights],
    ]);
    const cache = await open(`redis://dewy:s3cret-pass@127.0.0.1:${port}/3`);

    for (let times = 0; times < 2; times++) {
      const written = cache.write("k", Buffer.from("x"), { ifVersion: "any" }, { signal });
      await expect(written).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    }

    expect(await run("redis-cli", ["-p", `${port}`, "keys", "*"])).toBe("");
  });

  it("speaks TLS with a server whose authority is named, and with no other", async ({ signal }) => {
    const authority = await openAuthority();
    onTestFinished(() => authority.close());
    const { cert, key } = await authority.issue("server");
    const { port } = await startRedis([
      ...["--tls-port", "PORT", "--tls-auth-clients", "no"],
      ...["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", authority.ca.cert],
    ]);
    const trusting = await open(`rediss://127.0.0.1:${port}?ca=${authority.ca.cert}`);
    const wary = await open(`rediss://127.0.0.1:${port}`);

    await trusting.write("k", Buffer.from("x"), { ifVersion: "any" }, { signal });
    const error = await wary.read("k", { signal }).catch((reason: unknown) => reason);

    expect((await trusting.read("k", { signal }))?.value.toString()).toBe("x");
    expect(error).toMatchObject({ code: "UNAVAILABLE" });
    expect(shown(error)).toContain("its certificate is not trusted");
  });

  it("says soon that nothing listens, and goes on when something does", async ({ signal }) => {
    const redis = await startRedis();
    const cache = await open(`redis://127.0.0.1:${redis.port}`);
    await cache.write("k", Buffer.from("x"), { ifVersion: "any" }, { signal });
    await redis.stop();

    const error = await cache.read("k", { signal }).catch((reason: unknown) => reason);
    await startRedis([], redis.port);

    expect(error).toMatchObject({ name: "CacheError", code: "UNAVAILABLE" });
    expect(shown(error)).toContain("nothing listens there");
    await expect
      .poll(() => cache.read("k", { signal }).catch(() => "not yet"), { timeout: 15_000 })
      .toBeUndefined();
  });

  it("is not waited for when it hangs: the registry answers", async ({ signal }) => {
    const { port } = await startRedis();
    const cache = await open(`redis://127.0.0.1:${port}`);
    const upstream = new Upstream();
    upstream.publish("v1.0.0", ["app.tar.gz"]);
    const logger = new FakeLogger();
    const options = { cache, ttlMs: 50, logger, host: "host" };
    const shared = sharedRegistry(driverOf(upstream, {}), options);
    await shared.tags({ signal });
    await run("redis-cli", ["-p", `${port}`, "client", "pause", "60000", "all"]);
    const startedMs = performance.now();

    const answers = [await shared.tags({ signal }), await shared.tags({ signal })];

    expect(answers).toEqual([["v1.0.0"], ["v1.0.0"]]);
    expect(performance.now() - startedMs).toBeLessThan(12_000); // one wait, not two
    expect(logger.lines).toMatchObject([
      {
        message: "The cache fails, and this host asks the registry by itself",
        fields: { reason: expect.stringContaining("took longer than 6 s") },
      },
    ]);
  });

  it("replaces what others have put under its keys", async ({ signal }) => {
    const { port } = await startRedis();
    await run("redis-cli", ["-p", `${port}`, "set", "dewy:entry:k", "theirs"]);
    const cache = await open(`redis://127.0.0.1:${port}`);

    const found = await cache.read("k", { signal });
    const ifVersion = found?.version ?? "absent";
    const version = await cache.write("k", Buffer.from("x"), { ifVersion }, { signal });

    expect(version).toBeDefined();
    expect((await cache.read("k", { signal }))?.value.toString()).toBe("x");
  });

  it("does not hand out an artifact of which Redis has dropped a part", async ({ signal }) => {
    const { port } = await startRedis();
    const { artifacts } = await open(`redis://127.0.0.1:${port}`);
    const content = Buffer.alloc(3_000_000, "x");
    const digest = digestOf(content);
    const artifact = { digest, sizeBytes: content.length };
    await artifacts?.put(artifact, streamOf(content), { signal });
    const chunks = await run("redis-cli", ["-p", `${port}`, "keys", "dewy:artifact:*:*:*:1"]);
    const opened = await artifacts?.open(digest, { signal, from: 0 });
    await run("redis-cli", ["-p", `${port}`, "del", chunks]);

    const reading = collect(opened?.bytes ?? streamOf(Buffer.of()), 4_000_000);

    await expect(reading).rejects.toMatchObject({ message: expect.stringContaining("dropped") });
    expect(await artifacts?.open(digest, { signal, from: 0 })).toBeUndefined();
    expect(await run("redis-cli", ["-p", `${port}`, "keys", "*"])).toBe("");
  });

  it("keeps what was used last, not what was put last", async ({ signal }) => {
    const { port } = await startRedis();
    const { artifacts } = await open(`redis://127.0.0.1:${port}?max-size=5MiB`);
    const contents = ["a", "b", "c"].map((letter) => Buffer.alloc(2_000_000, letter));
    const [first = Buffer.of(), second = Buffer.of(), third = Buffer.of()] = contents;
    const put = (content: Buffer) =>
      artifacts?.put({ digest: digestOf(content), sizeBytes: content.length }, streamOf(content), {
        signal,
      });
    await put(first);
    await put(second);
    await new Promise((resolve) => setTimeout(resolve, 10)); // used in another millisecond
    await artifacts?.open(digestOf(first), { signal, from: 0 });

    await put(third);

    const found = contents.map((content) => artifacts?.has(digestOf(content), { signal }));
    expect(await Promise.all(found)).toEqual([true, false, true]);
  });

  it.each([2, 20])("lets %i agents ask their registry once in a window", async (count) => {
    const { signal } = new AbortController();
    const { port } = await startRedis();
    const upstream = new Upstream();
    upstream.publish("v1.0.0", ["app.tar.gz"]);
    const agents: SharedRegistry[] = [];
    for (let host = 0; host < count; host++) {
      const cache = await open(`redis://127.0.0.1:${port}`);
      const options = { cache, ttlMs: 3_000, logger: new FakeLogger(), host: `host-${host}` };
      agents.push(sharedRegistry(driverOf(upstream, {}), options));
    }
    const everybodyAsks = () => Promise.all(agents.map((agent) => agent.tags(ownCall())));
    await everybodyAsks();
    const inFirstWindow = upstream.calls.length;
    upstream.publish("v1.1.0", ["app.tar.gz"]);
    await expect
      .poll(async () => (await agents[0]?.tags({ signal }))?.length, {
        interval: 20,
        timeout: 10_000,
      })
      .toBe(2);

    const tags = await everybodyAsks();
    const releases = await Promise.all(agents.map((agent) => agent.release("v1.1.0", ownCall())));

    expect(inFirstWindow).toBe(1);
    expect(new Set(tags.map(String))).toEqual(new Set(["v1.0.0,v1.1.0"]));
    expect(new Set(releases.map((release) => release?.tag))).toEqual(new Set(["v1.1.0"]));
    expect(upstream.calls.filter((call) => call === "release v1.1.0")).toHaveLength(1);
    // Who asks for the release may be another than who asked for the tags, and then looks himself.
    expect(upstream.calls.filter((call) => call === "tags").length).toBeLessThanOrEqual(3);
  });

  const open = (url: string, environment = {}) => openedCache(url, environment);
});

/** What our keys need, and no more. */
const leastRights =
  "+eval +time +type +hget +hmget +hset +pexpire +del +unlink +exists +get +set +zadd +zrem +zrevrange".split(
    " ",
  );

/** Many who listen to one signal would be warned about. */
const ownCall = () => ({ signal: new AbortController().signal });

/** All that a log could show of it. */
function shown(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.message}\n${error.stack}\n${JSON.stringify(error)}\n${shown(error.cause ?? "")}`;
}
