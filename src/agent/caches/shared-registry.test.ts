import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../oci/digest.ts";
import type { Artifact } from "../release.ts";
import { fakeArtifact } from "../release-registry.fake.ts";
import { type DriverChanges, openFleet, ttlMs } from "./fleet.fake.ts";
import { packEntry } from "./shared-entry.ts";

describe("sharedRegistry", () => {
  it("asks once for all who ask at the same time", async () => {
    const fleet = openFleet();
    const agents = Array.from({ length: 20 }, () => fleet.agent());

    const tags = await Promise.all(agents.map(({ shared }) => shared.tags(new AbortController())));

    expect(new Set(tags.map(String))).toEqual(new Set(["v1"]));
    expect(fleet.upstream.calls).toEqual(["tags"]);
  });

  it("asks again when the window is over, and then everybody has the new answer", async ({
    signal,
  }) => {
    const fleet = openFleet();
    const [one, other] = [fleet.agent(), fleet.agent()];
    await one.shared.tags({ signal });
    await fleet.clock.advance(ttlMs - 1);
    fleet.upstream.publish("v2", ["app.tar.gz"]);
    const before = await other.shared.tags({ signal });
    await fleet.clock.advance(1);

    const after = [await other.shared.tags({ signal }), await one.shared.tags({ signal })];

    expect(before).toEqual(["v1"]);
    expect(after).toEqual([
      ["v1", "v2"],
      ["v1", "v2"],
    ]);
    expect(fleet.upstream.calls).toEqual(["tags", "tags"]);
  });

  it("shares a release as it was announced, to the last field", async ({ signal }) => {
    const fleet = openFleet();
    const artifact: Artifact = {
      name: "app_linux_arm64.tar.gz",
      platform: { os: "linux", architecture: "arm", variant: "v7" },
      sizeBytes: 5,
      digest: digestOf("bytes"),
      identity: "one",
      url: "fake://app/1",
    };
    const publishedAt = new Date("2026-03-01T10:00:00.250Z");
    fleet.upstream.releases = [{ tag: "v3", publishedAt, artifacts: [artifact] }];
    await fleet.agent().shared.release("v3", { signal });

    const release = await fleet.agent().shared.release("v3", { signal });

    expect(release).toStrictEqual(fleet.upstream.releases[0]);
    expect(fleet.upstream.calls).toEqual(["tags", "release v3"]);
  });

  it("shares that there is no such release", async ({ signal }) => {
    const fleet = openFleet();

    const found = [
      await fleet.agent().shared.release("v9", { signal }),
      await fleet.agent().shared.release("v9", { signal }),
    ];

    expect(found).toEqual([undefined, undefined]);
    expect(fleet.upstream.calls).toEqual(["tags", "release v9"]);
  });

  it("asks once in a window, whoever comes between the tags and their release", async ({
    signal,
  }) => {
    const fleet = openFleet();
    const [one, other] = [fleet.agent(), fleet.agent()];
    await one.shared.tags({ signal });
    await one.shared.release("v1", { signal });
    await fleet.clock.advance(ttlMs);
    await one.shared.tags({ signal });

    await other.shared.tags({ signal });
    await other.shared.release("v1", { signal });
    await one.shared.release("v1", { signal });

    expect(fleet.upstream.calls).toEqual(["tags", "release v1", "tags", "release v1"]);
  });

  it("asks for a release itself when who asked for its tags does not", async ({ signal }) => {
    const fleet = openFleet();
    const [one, other] = [fleet.agent(), fleet.agent()];
    await one.shared.tags({ signal });
    await one.shared.release("v1", { signal });
    await fleet.clock.advance(1.5 * ttlMs);
    await one.shared.tags({ signal });

    await other.shared.tags({ signal });
    await other.shared.release("v1", { signal });

    expect(fleet.upstream.calls.slice(2)).toEqual(["tags", "tags", "release v1"]);
  });

  it("asks anew before it speaks of a release that only others know of", async ({ signal }) => {
    const fleet = openFleet();
    const [one, other] = [fleet.agent({ remembers: true }), fleet.agent()];
    await one.shared.tags({ signal });
    fleet.upstream.publish("v2", ["app.tar.gz"]);
    await fleet.clock.advance(ttlMs);
    await other.shared.tags({ signal });
    expect(await one.shared.tags({ signal })).toEqual(["v1", "v2"]);

    expect(await one.shared.release("v2", { signal })).toMatchObject({ tag: "v2" });
  });

  it.each([
    ["another registry", { name: "fake://other" }],
    ["another platform", { scope: "linux/arm64" }],
  ])("keeps the answers of %s apart", async (_what, changes: DriverChanges) => {
    const { signal } = new AbortController();
    const fleet = openFleet();
    await fleet.agent().shared.tags({ signal });

    await fleet.agent(changes).shared.tags({ signal });

    expect(fleet.upstream.calls).toEqual(["tags", "tags"]);
  });

  it("overtakes who has died while asking, and not before its time", async ({ signal }) => {
    const fleet = openFleet();
    const key = await fleet.tagsKey(signal);
    const claim = await packEntry({ version: 1, failures: 0, claim: "a dead host" });
    await fleet.cache.write(key, claim, { ifVersion: "any" }, { signal });
    fleet.upstream.calls.length = 0;

    const answer = fleet.agent().shared.tags({ signal });
    await fleet.clock.advance(2 * ttlMs - 1);
    await sleep(500);
    const before = fleet.upstream.calls.length;
    await fleet.clock.advance(1);

    expect(await answer).toEqual(["v1"]);
    expect([before, fleet.upstream.calls.length]).toEqual([0, 1]);
  });

  it.each([
    ["nonsense", Buffer.from("{")],
    ["nothing", Buffer.alloc(0)],
    ["more than memory can", gzipSync(Buffer.alloc(64 * 1024 * 1024))],
  ])("replaces an entry that holds %s, and says so", async (_what, content) => {
    const { signal } = new AbortController();
    const fleet = openFleet();
    const key = await fleet.tagsKey(signal);
    await fleet.cache.write(key, content, { ifVersion: "any" }, { signal });
    fleet.upstream.calls.length = 0;
    const { shared, logger } = fleet.agent();

    const answers = [await shared.tags({ signal }), await fleet.agent().shared.tags({ signal })];

    expect(answers).toEqual([["v1"], ["v1"]]);
    expect(fleet.upstream.calls).toEqual(["tags"]);
    expect(logger.messages("warn")).toEqual(["A shared entry cannot be read and is replaced"]);
  });

  it.each([
    ["leaves its directory", { name: "../../etc/cron.d/evil" }],
    ["has another digest's form", { digest: "md5:0" }],
    ["is no object", "app"],
  ])("does not believe an artifact that %s", async (_what, change) => {
    const { signal } = new AbortController();
    const fleet = openFleet();
    const agent = fleet.agent();
    await agent.shared.release("v1", { signal });
    const key = fleet.keys().find((one) => one.startsWith("release-")) ?? "";
    const artifact =
      typeof change === "string" ? change : { ...fakeArtifact("app.tar.gz"), ...change };
    const value = { tag: "v1", artifacts: [artifact] };
    const forged = await packEntry({ version: 1, failures: 0, answer: { value, ageMs: 0 } });
    await fleet.cache.write(key, forged, { ifVersion: "any" }, { signal });

    const release = await agent.shared.release("v1", { signal });

    expect(release?.artifacts).toEqual([fakeArtifact("app.tar.gz")]);
  });

  it("lets everybody ask alone for a list that no entry can hold", async ({ signal }) => {
    const fleet = openFleet();
    fleet.upstream.releases = Array.from({ length: 40_000 }, () => ({
      ...{ tag: crypto.randomUUID(), publishedAt: undefined, artifacts: [] },
    }));
    const agents = [fleet.agent(), fleet.agent()];

    const answers = await Promise.all(agents.map(({ shared }) => shared.tags({ signal })));

    expect(answers.map(({ length }) => length)).toEqual([40_000, 40_000]);
    expect(agents.flatMap(({ logger }) => logger.messages("warn"))).toEqual([
      "An answer is too long to be shared",
    ]);
  });

  it("opens and reports what only another host has been told of", async ({ signal }) => {
    const fleet = openFleet();
    await fleet.agent().shared.release("v1", { signal });
    const stateful = fleet.agent({ knowsOnlyWhatItAsked: true });
    const release = await stateful.shared.release("v1", { signal });
    const [artifact] = release?.artifacts ?? [];
    if (!artifact) throw new Error("there is no artifact");

    const { from } = await stateful.shared.open(artifact, { signal, from: 0 });
    const reporting = fleet.agent({ knowsOnlyWhatItAsked: true });
    await reporting.shared.release("v1", { signal });
    const { identity } = artifact;
    const ended = { host: "host", at: new Date(), error: undefined };
    const report = { tag: "v1", identity, command: "server" as const, ...ended };
    await reporting.shared.report?.(report, { signal });

    expect(from).toBe(0);
    expect(fleet.upstream.reports).toEqual([report]);
  });
});
