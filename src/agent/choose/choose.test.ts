import { describe, expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { pinRelease, quarantine, skipRelease } from "../ledger/holds.ts";
import type { LedgerState } from "../ledger/ledger.ts";
import { FakeReleaseRegistry } from "../release-registry.fake.ts";
import { calendarVersions } from "./calendar-versions.ts";
import { type ChoiceParts, type ChoiceRules, choose, type PassedOver } from "./choose.ts";
import { readConstraint } from "./constraint.ts";

const now = new Date("2026-01-01T12:00:00Z");
const minutesAgo = (minutes: number) => new Date(now.getTime() - minutes * 60_000);
const good = ["app-linux-amd64.tar.gz"];

describe("choose", () => {
  it("takes the newest version, whatever the order of the tags", async () => {
    const { registry, ask } = setting();
    for (const tag of ["v1.9.0", "v1.10.0", "latest", "v2.0.0-rc.1", "v1.2.0"]) {
      registry.publish(tag, good);
    }

    expect(await ask()).toMatchObject({ tag: "v1.10.0", passedOver: [] });
    expect(await ask({ preRelease: true })).toMatchObject({ tag: "v2.0.0-rc.1" });
    expect(registry.asked).toEqual(["v1.10.0", "v2.0.0-rc.1"]);
  });

  it("stays in its slot", async () => {
    const { registry, ask } = setting();
    for (const tag of ["v1.0.0+blue", "v1.1.0+green", "v1.2.0"]) registry.publish(tag, good);

    expect((await ask({ slot: "blue" }))?.tag).toBe("v1.0.0+blue");
    expect((await ask({ slot: "green" }))?.tag).toBe("v1.1.0+green");
    expect((await ask())?.tag).toBe("v1.2.0");
    await expect(ask({ slot: "red" })).rejects.toThrow("no stable version in slot red");
  });

  it.each([
    ["a newer version of the other", "v1.1.0+green v1.0.1+blue", "blue", "v1.0.1+blue"],
    ["a newer version of none", "v1.1.0 v1.0.1+blue", "blue", "v1.0.1+blue"],
    ["the same version before it in the list", "v1.0.0+blue v1.0.0+green", "green", "v1.0.0+green"],
    ["the same version after it in the list", "v1.0.0+green v1.0.0+blue", "green", "v1.0.0+green"],
    ["a newer pre-release of its own", "v1.0.0+blue v1.1.0-rc.1+blue", "blue", "v1.0.0+blue"],
    ["a slot that begins alike", "v1.1.0+blue.2 v1.0.0+blue", "blue", "v1.0.0+blue"],
  ])("gives a slot its own newest version beside %s", async (_what, tags, slot, expected) => {
    const { registry, ask } = setting();
    for (const tag of tags.split(" ")) registry.publish(tag, good);

    expect((await ask({ slot }))?.tag).toBe(expected);
  });

  it("moves only the slot whose version was published", async () => {
    const { registry, ask } = setting();
    for (const tag of ["v1.0.0+blue", "v1.0.0+green", "v1.1.0+green"]) registry.publish(tag, good);

    expect((await ask({ slot: "green" }))?.tag).toBe("v1.1.0+green");
    expect((await ask({ slot: "blue" }))?.tag).toBe("v1.0.0+blue");

    registry.publish("v1.1.0+blue", good);
    expect((await ask({ slot: "blue" }))?.tag).toBe("v1.1.0+blue");
  });

  it("lets the order of the list decide among equals, so that it stays with one of them", async () => {
    const { registry, ask } = setting();
    for (const tag of ["v1.0.0+b", "v1.0.0+a", "1.0.0"]) registry.publish(tag, good);

    expect((await ask())?.tag).toBe("v1.0.0+b");
  });

  it("stays within its range, and says so when nothing is", async () => {
    const { registry, ask } = setting();
    for (const tag of ["v1.2.0", "v1.3.0-rc.1", "v2.0.0-rc.1", "v2.0.0"])
      registry.publish(tag, good);
    const constraint = await readConstraint("^1.2", "--constraint");

    expect((await ask({ constraint }))?.tag).toBe("v1.2.0");
    expect((await ask({ constraint, preRelease: true }))?.tag).toBe("v1.3.0-rc.1");
    const none = ask({ constraint: await readConstraint("^3", "--constraint"), slot: "blue" });
    await expect(none).rejects.toMatchObject({
      message: "fake://app has no stable version within ^3 in slot blue among its 4 tags",
      hint: expect.stringContaining("a tag within ^3 that ends in +blue"),
    });
  });

  it("reads calendar versions where it is told to, and then no others", async () => {
    const { registry, ask } = setting();
    for (const tag of ["2026.09.1", "v2026.10.0+blue", "2026.11.0-rc.1", "v3000.1.1"]) {
      registry.publish(tag, good);
    }
    const versioning = calendarVersions("YYYY.0M.MICRO", "--calver");

    expect((await ask({ versioning }))?.tag).toBe("v2026.10.0+blue");
    expect((await ask({ versioning, preRelease: true }))?.tag).toBe("2026.11.0-rc.1");
    expect((await ask({ versioning, slot: "blue" }))?.tag).toBe("v2026.10.0+blue");
    const none = ask({ versioning: calendarVersions("YY.MM", "--calver") });
    await expect(none).rejects.toMatchObject({
      message: "fake://app has no stable version of the form YY.MM among its 4 tags",
      hint: expect.stringContaining("such as 26.1,"),
    });
  });

  it("quietly stays with the last complete release while a new one may be uploading", async () => {
    const { registry, ask, logger } = setting();
    registry.publish("v1.0.0", good, minutesAgo(1000));
    registry.publish("v1.1.0", ["app-windows-amd64.zip"], minutesAgo(15));

    expect(await ask()).toMatchObject({
      tag: "v1.0.0",
      passedOver: [{ tag: "v1.1.0", reason: expect.stringContaining("app-windows-amd64.zip") }],
    });
    expect(logger.messages("warn")).toEqual([]);
    expect(logger.messages("debug").length).toBe(1);
  });

  it.each([
    ["45 minutes ago", minutesAgo(45)],
    ["nobody knows when", undefined],
  ])("warns once of a release without a file for us, published %s", async (_when, publishedAt) => {
    const { registry, ask, logger } = setting();
    registry.publish("v1.0.0", good, minutesAgo(1000));
    registry.publish("v1.1.0", [], publishedAt);

    await ask();
    expect((await ask())?.tag).toBe("v1.0.0");

    expect(logger.messages("warn")).toEqual(["newer release has no artifact for this host"]);
  });

  it("takes the new release as soon as it is complete", async () => {
    const { registry, ask } = setting();
    registry.publish("v1.0.0", good);
    registry.publish("v1.1.0", [], minutesAgo(5));
    expect((await ask())?.tag).toBe("v1.0.0");

    registry.releases.pop();
    registry.publish("v1.1.0", good, minutesAgo(5));

    expect((await ask())?.tag).toBe("v1.1.0");
  });

  it("has nothing to say while the only release is still new", async () => {
    const { registry, ask } = setting();
    registry.publish("v1.0.0", [], minutesAgo(5));

    expect(await ask()).toBeUndefined();
  });

  it("names tag, platform and files when nothing is complete, and looks ten releases back", async () => {
    const { registry, ask } = setting();
    for (let minor = 0; minor < 12; minor++) {
      registry.publish(`v1.${minor}.0`, minor === 0 ? good : ["app.deb"], minutesAgo(45));
    }

    await expect(ask()).rejects.toMatchObject({
      code: "NOT_FOUND",
      message:
        "fake://app: v1.11.0 cannot be taken: no artifact for linux/amd64 among: app.deb, nor can the 9 before it",
    });
    expect(registry.asked.length).toBe(10);
  });

  it("says so when no tag is a version", async () => {
    const { registry, ask } = setting();
    registry.publish("latest", good);
    registry.publish("v1.0.0-rc.1", good);

    await expect(ask()).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: "fake://app has no stable version among its 2 tags",
      hint: expect.stringContaining("?pre-release=true"),
    });
  });

  it("takes no older release while the files of the one in service are being replaced", async () => {
    const { registry, ask, logger, parts } = setting();
    parts.activeTag = () => "v1.1.0";
    registry.publish("v1.0.0", good);
    registry.publish("v1.1.0", []);

    expect([await ask(), await ask()]).toEqual([undefined, undefined]);
    expect(logger.messages("warn")).toEqual([
      "the release in service has lost its artifact for this host, and stays",
    ]);

    registry.releases.pop();
    registry.publish("v1.1.0", good);
    expect(await ask()).toMatchObject({ tag: "v1.1.0" });
  });

  it("goes back to the older release when the one in service is deleted", async () => {
    const { registry, ask, parts } = setting();
    parts.activeTag = () => "v1.1.0";
    registry.publish("v1.0.0", good);

    expect(await ask()).toMatchObject({ tag: "v1.0.0" });
  });

  it("goes on to the next when a tag has just been deleted", async () => {
    const { registry, ask } = setting();
    registry.publish("v1.0.0", good);
    registry.tags = async () => ["v1.0.0", "v1.1.0"];

    expect(await ask()).toMatchObject({
      tag: "v1.0.0",
      passedOver: [{ tag: "v1.1.0", reason: "no release any more" }],
    });
  });
});

describe("choose, where releases are held", () => {
  const at = now.toISOString();
  const shown = at.replace(".000Z", "Z");
  const decision = { by: "alice", at };
  const failed = { identity: good[0] as string, reason: "it died", at, failures: 3, logTail: [] };

  function held(change: (state: LedgerState) => LedgerState) {
    const host = setting();
    for (const tag of ["v1.0.0", "v1.1.0", "v2.0.0"]) host.registry.publish(tag, good);
    const passedOver: PassedOver[][] = [];
    host.parts.holds = () => change({ version: 1, releases: [] });
    host.parts.tellPassedOver = (releases) => void passedOver.push([...releases]);
    return { ...host, passedOver };
  }

  it("passes over what is in quarantine, and says why", async () => {
    const { ask, passedOver } = held((state) => quarantine(state, { ...failed, tag: "v2.0.0" }));

    expect(await ask()).toMatchObject({ tag: "v1.1.0" });
    const reason = `in quarantine since ${shown}, failed 3 times: it died`;
    expect(passedOver).toEqual([[{ tag: "v2.0.0", reason }]]);
  });

  it("takes the same tag with other bytes, and what is newer", async () => {
    const host = held((state) =>
      quarantine(state, { ...failed, tag: "v2.0.0", identity: "other" }),
    );
    expect(await host.ask()).toMatchObject({ tag: "v2.0.0" });

    const { registry, ask } = held((state) => quarantine(state, { ...failed, tag: "v2.0.0" }));
    registry.publish("v2.0.1", good);
    expect(await ask()).toMatchObject({ tag: "v2.0.1", passedOver: [] });
  });

  it("passes over what was skipped, without asking for it", async () => {
    const { ask, registry, passedOver } = held((state) =>
      skipRelease(state, { ...decision, tag: "v2.0.0", reason: "slow" }),
    );

    expect(await ask()).toMatchObject({ tag: "v1.1.0" });
    expect(registry.asked).toEqual(["v1.1.0"]);
    expect(passedOver).toEqual([[{ tag: "v2.0.0", reason: `skipped by alice at ${shown}: slow` }]]);
  });

  it("takes what is pinned, whatever is newer and whatever range it is in", async () => {
    const { ask, passedOver } = held((state) => pinRelease(state, { ...decision, tag: "v1.0.0" }));
    const constraint = await readConstraint("^2", "--constraint");

    expect(await ask({ constraint })).toMatchObject({ tag: "v1.0.0" });
    const reason = `v1.0.0 is pinned by alice at ${shown}`;
    expect(passedOver).toEqual([[{ tag: "v2.0.0", reason }]]);
  });

  it("leaves everything as it is while the pinned release is not there, and warns once", async () => {
    const { ask, logger } = held((state) => pinRelease(state, { ...decision, tag: "v9.0.0" }));

    expect([await ask(), await ask()]).toEqual([undefined, undefined]);
    expect(logger.messages("warn")).toEqual(["the pinned release is not there"]);
  });

  it("leaves everything as it is when all there is is held, however much that is", async () => {
    const host = setting();
    let state: LedgerState = { version: 1, releases: [] };
    for (let release = 0; release < 30; release++) {
      host.registry.publish(`v1.0.${release}`, good);
      state = quarantine(state, { ...failed, tag: `v1.0.${release}` });
    }
    host.parts.holds = () => state;

    expect(await host.ask()).toBeUndefined();
    host.registry.publish("v0.9.0", good);
    expect(await host.ask()).toMatchObject({ tag: "v0.9.0" });
  });
});

function setting() {
  const registry = new FakeReleaseRegistry();
  const logger = new FakeLogger();
  const parts: ChoiceParts = { clock: new FakeClock(now), logger, warned: new Set() };
  const call = { signal: new AbortController().signal };
  const platform = { os: "linux", architecture: "amd64" };
  const ask = (rules: Partial<ChoiceRules> = {}) =>
    choose(registry, { preRelease: false, platform, ...rules }, parts, call);
  return { registry, logger, parts, ask };
}
