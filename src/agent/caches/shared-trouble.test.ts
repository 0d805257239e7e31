import { describe, expect, it } from "vitest";
import { type Cache, CacheError } from "../cache.ts";
import { ReleaseRegistryError } from "../release.ts";
import { openFleet, ttlMs } from "./fleet.fake.ts";

describe("sharedRegistry, when something fails,", () => {
  it("serves the last answer while the registry is down, and says so once", async ({ signal }) => {
    const fleet = openFleet();
    const [one, other] = [fleet.agent(), fleet.agent()];
    await one.shared.tags({ signal });
    await fleet.clock.advance(ttlMs);
    fleet.upstream.failure = new ReleaseRegistryError("UNAVAILABLE", "it is down");

    const answers = [];
    for (const { shared } of [one, other, one, other]) answers.push(await shared.tags({ signal }));

    expect(answers).toEqual([["v1"], ["v1"], ["v1"], ["v1"]]);
    expect(fleet.upstream.calls).toEqual(["tags", "tags"]);
    for (const { shared, logger } of [one, other]) {
      expect(shared.outage).toMatchObject({ code: "UNAVAILABLE", message: "it is down" });
      expect(logger.messages("warn")).toEqual([
        "The registry fails, and its last answers are served",
      ]);
    }
  });

  it("asks a registry that is down less and less often, whoever asks", async ({ signal }) => {
    const fleet = openFleet();
    const agents = [fleet.agent(), fleet.agent()];
    await agents[0]?.shared.tags({ signal });
    await fleet.clock.advance(ttlMs);
    fleet.upstream.failure = new ReleaseRegistryError("UNAVAILABLE", "it is down");
    fleet.upstream.calls.length = 0;

    for (let second = 0; second < 100; second++) {
      for (const { shared } of agents) await shared.tags({ signal });
      await fleet.clock.advance(1_000);
    }

    expect(fleet.upstream.calls).toHaveLength(5); // at 0, 5, 15, 35 and 75 s
  });

  it("says when the registry answers again", async ({ signal }) => {
    const fleet = openFleet();
    const { shared, logger } = fleet.agent();
    await shared.tags({ signal });
    await fleet.clock.advance(ttlMs);
    fleet.upstream.failure = new ReleaseRegistryError("UNAVAILABLE", "it is down");
    await shared.tags({ signal });
    fleet.upstream.failure = undefined;
    await fleet.clock.advance(10_000);

    await shared.tags({ signal });
    await shared.tags({ signal });

    expect(shared.outage).toBeUndefined();
    expect(logger.messages("info")).toEqual(["The registry answers again"]);
  });

  it("hands on the failure where there is no answer yet, with the time to stay away", async ({
    signal,
  }) => {
    const fleet = openFleet();
    fleet.upstream.failure = rateLimited(90_000);
    const first = await fleet
      .agent()
      .shared.tags({ signal })
      .catch((error) => error);
    await fleet.clock.advance(30_000);

    const second = await fleet
      .agent()
      .shared.tags({ signal })
      .catch((error) => error);

    expect(first).toBe(fleet.upstream.failure);
    expect(second).toMatchObject({
      code: "RATE_LIMITED",
      message: "too many",
      retryAfterMs: 60_000,
    });
    expect(fleet.upstream.calls).toEqual(["tags"]);
  });

  it("keeps a refusal to itself: others may have the right credentials", async ({ signal }) => {
    const fleet = openFleet();
    const refused = new ReleaseRegistryError("UNAUTHORIZED", "not you");
    fleet.upstream.failure = refused;
    const result = fleet.agent().shared.tags({ signal });
    await expect(result).rejects.toBe(refused);
    fleet.upstream.failure = undefined;

    expect(await fleet.agent().shared.tags({ signal })).toEqual(["v1"]);
  });

  it("hands its claim back when it is told to end", async ({ signal }) => {
    const fleet = openFleet();
    const stop = new AbortController();
    fleet.upstream.hangs = true;
    const result = fleet.agent().shared.tags(stop);
    await expect.poll(() => fleet.upstream.calls.length).toBe(1);
    stop.abort();
    await expect(result).rejects.toMatchObject({ name: "AbortError" });
    fleet.upstream.hangs = false;

    expect(await fleet.agent().shared.tags({ signal })).toEqual(["v1"]);
  });

  it("asks by itself while the cache is down, once in a window", async ({ signal }) => {
    const fleet = openFleet();
    const { shared, logger } = fleet.agent({}, brokenCache);

    const answers = [await shared.tags({ signal }), await shared.tags({ signal })];

    expect(answers).toEqual([["v1"], ["v1"]]);
    expect(fleet.upstream.calls).toEqual(["tags"]);
    expect(logger.messages("warn")).toEqual([
      "The cache fails, and this host asks the registry by itself",
    ]);
  });
});

function rateLimited(retryAfterMs: number): ReleaseRegistryError {
  const error = new ReleaseRegistryError("RATE_LIMITED", "too many");
  error.retryAfterMs = retryAfterMs;
  return error;
}

const brokenCache: Cache = {
  name: "broken://",
  artifacts: undefined,
  read: () => Promise.reject(new CacheError("UNAVAILABLE", "nothing listens there")),
  write: () => Promise.reject(new CacheError("UNAVAILABLE", "nothing listens there")),
  close: async () => {},
};
