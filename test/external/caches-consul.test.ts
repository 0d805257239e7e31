import { expect, it } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { cacheContract } from "../../src/agent/cache.contract.ts";
import type { Clock } from "../../src/base/clock.ts";
import { systemClock } from "../../src/base/clock.ts";
import { describeWith } from "../component.ts";
import { fill, startConsul } from "./consul.ts";
import { openedCache } from "./opened-cache.ts";

describeWith("consul")("caches in Consul", () => {
  cacheContract("Consul", async () => {
    const { port } = await startConsul();
    return () => open(`consul://127.0.0.1:${port}`);
  });

  it("keeps to its prefix", async ({ signal }) => {
    const { port } = await startConsul();
    const cache = await open(`consul://127.0.0.1:${port}/team%20a/dewy/`);

    await cache.write("k", Buffer.from("x"), { ifVersion: "any" }, { signal });

    const keys = await fetch(`http://127.0.0.1:${port}/v1/kv/?keys`);
    expect(await keys.json()).toEqual(["team a/dewy/k"]);
  });

  it.each([
    ["the URL", "?token=TOKEN", {}],
    ["the environment", "", { CONSUL_HTTP_TOKEN: "TOKEN" }],
  ])("shows the token of %s", async (_where, query, environment) => {
    const { signal } = new AbortController();
    const { port } = await startConsul(true);
    const own = Object.entries(environment).map(([name, value]) => [name, fill(value)]);
    const url = `consul://127.0.0.1:${port}${fill(query)}`;
    const cache = await open(url, Object.fromEntries(own));

    const version = await cache.write("k", Buffer.from("x"), { ifVersion: "absent" }, { signal });

    expect((await cache.read("k", { signal }))?.version).toBe(version);
  });

  it("says that it is refused, and does not show the token", async ({ signal }) => {
    const { port } = await startConsul(true);
    const cache = await open(`consul://127.0.0.1:${port}?token=wr0ng-token`);

    const error = await cache
      .write("k", Buffer.from("x"), { ifVersion: "any" }, { signal })
      .catch((reason: unknown) => reason);

    expect(error).toMatchObject({ name: "CacheError", code: "UNAUTHORIZED" });
    expect(String(error)).toContain(`consul://127.0.0.1:${port}/dewy answered 403`);
    expect(String(error) + JSON.stringify(error)).not.toContain("wr0ng");
  });

  it("says that nothing listens", async ({ signal }) => {
    const cache = await open(`consul://127.0.0.1:${await freePort()}`);

    await expect(cache.read("k", { signal })).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("nothing listens there"),
    });
  });

  it("takes an answer of last week for old at once, and clocks that differ for what they are", async ({
    signal,
  }) => {
    const { port } = await startConsul();
    const write = async (key: string, agoMs: number) => {
      const cache = await open(`consul://127.0.0.1:${port}`, {}, clockBehind(agoMs));
      await cache.write(key, Buffer.from("x"), { ifVersion: "any" }, { signal });
    };
    await write("old", 7 * 86_400_000);
    await write("behind", 600_000);
    await write("ahead", -600_000);
    const cache = await open(`consul://127.0.0.1:${port}`);

    const ages = ["old", "behind", "ahead"].map(
      async (key) => (await cache.read(key, { signal }))?.ageMs,
    );

    const [old, behind, ahead] = await Promise.all(ages);
    expect(old).toBeGreaterThanOrEqual(7 * 86_400_000);
    expect([behind, ahead]).toEqual([0, 0]);
  });

  const open = (url: string, environment = {}, clock = systemClock) =>
    openedCache(url, environment, clock);
});

const clockBehind = (ms: number): Clock => ({
  ...systemClock,
  now: () => new Date(Date.now() - ms),
});
