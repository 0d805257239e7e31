import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { expect, it, onTestFinished } from "vitest";
import { openAppCache, openCache } from "../../src/agent/caches/index.ts";
import { FakeArtifactSource } from "../../src/agent/deploy/artifact-source.fake.ts";
import { fetchArtifact } from "../../src/agent/deploy/fetch.ts";
import type { Artifact } from "../../src/agent/release.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { FakeLogger } from "../../src/base/logger.fake.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { describeWith } from "../component.ts";
import { run, temporaryDirectory } from "./program.ts";
import { startRedis } from "./redis.ts";

const body = randomBytes(3_000_000);
const artifact: Artifact = {
  ...{ name: "app.tar.gz", platform: undefined, sizeBytes: body.length, digest: digestOf(body) },
  ...{ identity: "one", url: "fake://source/app.tar.gz" },
};

describeWith("redis-server", "redis-cli")("hosts that share a Redis", () => {
  it("fetch an artifact for one another, and keep to themselves what they run", async ({
    signal,
  }) => {
    const { port } = await startRedis();
    const url = `redis://127.0.0.1:${port}?registry-ttl=1m`;
    const [one, other] = [await openHost(url), await openHost(url)];
    await one.cache.registry.tags({ signal });

    const first = await one.fetch(signal);
    await one.cache.shared?.settled();
    const second = await other.fetch(signal);

    expect([first.from, second.from]).toEqual(["registry", "cache"]);
    expect(other.source.opened).toEqual([]);
    expect((await readFile(second.path)).equals(body)).toBe(true);
    const keys = (await run("redis-cli", ["-p", `${port}`, "keys", "*"])).split("\n").sort();
    const digest = digestOf(body);
    expect(keys.map((key) => key.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, "ID"))).toEqual([
      `dewy:artifact:${digest}`,
      ...[0, 1, 2].map((chunk) => `dewy:artifact:${digest}:ID:${chunk}`),
      "dewy:artifacts",
      expect.stringMatching(/^dewy:entry:tags-[0-9a-f]{32}$/),
    ]);
  });

  it("deploy on when it is lost in the middle of a transfer", async ({ signal }) => {
    const redis = await startRedis();
    const url = `redis://127.0.0.1:${redis.port}`;
    const [one, other] = [await openHost(url), await openHost(url)];
    await one.fetch(signal);
    await one.cache.shared?.settled();
    const { shared } = other.cache;
    if (shared === undefined) throw new Error("nothing is shared");
    const losing = {
      ...shared,
      open: async (...call: Parameters<typeof shared.open>) => {
        const opened = await shared.open(...call);
        await redis.stop();
        return opened;
      },
    };

    const fetched = await other.fetch(signal, losing);

    expect(fetched.from).toBe("registry");
    expect((await readFile(fetched.path)).equals(body)).toBe(true);
    expect(other.logger.messages("warn")).toContain(
      "A shared artifact is not usable, and the registry is asked",
    );
  });
});

/** One host with a disk and a registry of its own. */
async function openHost(url: string) {
  const http = openHttpClient({ userAgent: "dewy/test" });
  const logger = new FakeLogger();
  const source = new FakeArtifactSource({ body });
  const root = await temporaryDirectory("host");
  const driver = await openCache(url, { http, clock: systemClock, environment: {} });
  const app = { cache: driver, registry: source, root, host: "host", logger };
  const cache = await openAppCache(app);
  onTestFinished(async () => {
    await cache.close();
    await driver.close();
    http.close();
  });
  const { store } = cache;
  return {
    ...{ cache, logger, source },
    fetch(signal: AbortSignal, shared = cache.shared) {
      const parts = { registry: source, artifact, store, shared, clock: systemClock, logger };
      return fetchArtifact(parts, { signal });
    },
  };
}
