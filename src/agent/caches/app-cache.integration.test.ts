import { chmod, lstat, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { fetchArtifact } from "../deploy/fetch.ts";
import { FakeReleaseRegistry, fakeArtifact } from "../release-registry.fake.ts";
import { openAppCache, openCache } from "./index.ts";

describe("openAppCache", () => {
  it("keeps artifacts beside the app where nothing else is said", async ({ signal }) => {
    const root = await temporaryDirectory();
    const app = await open(undefined, root);

    const fetched = await app.fetch("app.tar.gz", signal);

    expect(fetched.path).toContain(join(root, ".dewy/cache/sha256/"));
    expect((await stat(join(root, ".dewy/cache"))).mode & 0o077).toBe(0o055);
    expect((await stat(fetched.path)).mode & 0o777).toBe(0o600);
  });

  it("makes the directory that it is told, and keeps the apps in it apart", async ({ signal }) => {
    const shared = join(await temporaryDirectory(), "not/yet/there");
    const [one, other] = [await temporaryDirectory("api"), await temporaryDirectory("api")];
    const apps = [await open(`file://${shared}`, one), await open(`file://${shared}`, other)];
    const [first, second] = apps;

    await first?.fetch("one.tar.gz", signal);
    await second?.fetch("other.tar.gz", signal);
    await second?.cache.store.prune([]);

    const names = await readdir(shared);
    expect(names.every((name) => /^dewy-api-\w+-[0-9a-f]{12}$/.test(name))).toBe(true);
    expect(names).toHaveLength(2);
    expect(await first?.stored()).toHaveLength(1);
    expect(await second?.stored()).toHaveLength(0);
  });

  it("takes a temporary directory where it cannot have that, says so, and removes it", async ({
    signal,
  }) => {
    const root = await temporaryDirectory();
    await writeFile(join(root, "file"), "");
    const app = await open(`file://${root}/file/cache`, root);

    await app.fetch("app.tar.gz", signal);

    const { directory } = app.cache.store;
    expect(directory.startsWith(join(tmpdir(), "dewy-cache-"))).toBe(true);
    expect(app.logger.lines).toMatchObject([
      {
        level: "warn",
        message: "The cache directory cannot be used, and a temporary one is",
        fields: { directory, reason: expect.stringContaining("ENOTDIR") },
      },
    ]);
    await app.cache.close();
    await expect(lstat(directory)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it.runIf(process.getuid?.() === 0)("does not use what another user has made", async () => {
    const shared = await temporaryDirectory();
    const root = await temporaryDirectory();
    const first = await open(`file://${shared}`, root);
    await rm(first.cache.store.directory, { recursive: true });
    await mkdir(first.cache.store.directory);
    const { chown } = await import("node:fs/promises");
    await chown(first.cache.store.directory, 12_345, 12_345);

    const app = await open(`file://${shared}`, root);

    expect(app.cache.store.directory.startsWith(shared)).toBe(false);
    expect(app.logger.lines[0]?.fields.reason).toContain("belongs to the user 12345");
  });

  it("removes the place where artifacts were kept before, read-only files too", async () => {
    const root = await temporaryDirectory();
    const old = join(root, ".dewy/artifacts/sha256");
    await mkdir(old, { recursive: true });
    await writeFile(join(old, "00"), "artifact", { mode: 0o400 });
    await chmod(old, 0o500);

    await open(undefined, root);

    expect(await readdir(join(root, ".dewy"))).toEqual(["cache"]);
  });

  it("keeps as much as it is told, and always what runs", async ({ signal }) => {
    const root = await temporaryDirectory();
    const app = await open(`file://${join(root, "c")}?max-size=1MiB`, root);
    const contents = ["new", "older"].map((name) => name.padEnd(600_000, "."));
    const fetched = [];
    for (const name of contents) fetched.push(await app.fetch(name, signal));

    await app.cache.store.prune(fetched.map(({ digest }) => digest));

    expect(await app.stored()).toEqual([fetched[0]?.digest.slice("sha256:".length)]);
  });

  it("keeps no artifact in memory:// once it is deployed, nor one of a killed agent", async ({
    signal,
  }) => {
    const root = await temporaryDirectory();
    const app = await open("memory://", root);
    const { digest } = await app.fetch("app.tar.gz", signal);
    const before = await app.stored();
    await app.cache.store.prune([digest]);
    const after = await app.stored();
    await app.fetch("app.tar.gz", signal);

    const next = await open("memory://", root);

    expect([before.length, after.length]).toEqual([1, 0]);
    expect(await next.stored()).toEqual([]);
  });

  it("lets two apps on one host share the registry's answer by a directory", async ({ signal }) => {
    const shared = await temporaryDirectory();
    const url = `file://${shared}?registry-ttl=1m`;
    const registry = new CountingRegistry();
    registry.publish("v1", ["app.tar.gz"]);
    const apps = [
      await open(url, await temporaryDirectory(), registry),
      await open(url, await temporaryDirectory(), registry),
    ];

    const tags = [];
    for (const { cache } of apps) tags.push(await cache.registry.tags({ signal }));

    expect(tags).toEqual([["v1"], ["v1"]]);
    expect(registry.count).toBe(1);
  });

  it("asks the registry itself where no time to live is given", async ({ signal }) => {
    const registry = new CountingRegistry();
    const { cache } = await open("memory://", await temporaryDirectory(), registry);

    await cache.registry.tags({ signal });
    await cache.registry.tags({ signal });

    expect(registry.count).toBe(2);
  });
});

class CountingRegistry extends FakeReleaseRegistry {
  count = 0;

  override async tags(): Promise<readonly string[]> {
    this.count++;
    return await super.tags();
  }
}

async function open(
  url: string | undefined,
  root: string,
  registry: FakeReleaseRegistry = new FakeReleaseRegistry(),
) {
  const http = openHttpClient({ userAgent: "dewy/test" });
  const logger = new FakeLogger();
  const driver = await openCache(url, { http, clock: systemClock, environment: {} });
  const cache = await openAppCache({ cache: driver, registry, root, host: "host", logger });
  onTestFinished(async () => {
    await cache.close();
    await driver.close();
    http.close();
  });
  return {
    cache,
    logger,
    stored: () => readdir(join(cache.store.directory, "sha256")),
    fetch(name: string, signal: AbortSignal) {
      const { store, shared } = cache;
      const artifact = fakeArtifact(name);
      const parts = { registry, store, shared, clock: systemClock, logger };
      return fetchArtifact({ ...parts, artifact }, { signal });
    },
  };
}

async function temporaryDirectory(name = "cache"): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), `dewy-${name}-`));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
