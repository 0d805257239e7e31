import { describe, expect, it, onTestFinished } from "vitest";
import { pauseDeployments, releaseHolds, skipRelease } from "../ledger/holds.ts";
import { choiceOf, type FleetPlan, simulateFleet } from "./simulated-fleet.fake.ts";

const minuteMs = 60_000;

describe("a wave", () => {
  it("waits for the one before, and says for whom and until when", async ({ signal }) => {
    const fleet = await gathered({ waves: "1,50%,100%" });
    fleet.newest = "v2";
    await fleet.time.pass(5 * minuteMs, () => fleet.tried("v2").length === 1);
    await fleet.time.pass(1);

    const [first] = fleet.tried("v2");
    const other = fleet.hosts.find((host) => host !== first);
    const waits = () => other?.waves.peek(choiceOf("v2"), { signal });
    expect((await waits())?.reason).toMatch(
      new RegExp(
        `^wave [23] of 3 \\((50|100)%\\) waits for host-${first?.index} \\(installs it\\) of wave 1$`,
      ),
    );

    await fleet.time.pass(5 * minuteMs, () => fleet.running("v2").length === 1);
    await fleet.time.pass(minuteMs);
    const second = fleet.hosts.find(({ waiting }) => waiting?.includes("stays good"));
    const wait = await second?.waves.peek(choiceOf("v2"), { signal });
    expect(wait?.reason).toMatch(/waits to see whether the wave before it stays good$/);
    expect(wait?.until).toMatch(/^2025-12-31T|^2026-01-01T/);

    await fleet.time.pass(20 * minuteMs, () => fleet.running("v2").length === 10);
    expect(fleet.running("v2")).toHaveLength(10);
  });

  it("by a label has the hosts with that label, and they are first", async () => {
    const labelOf = (index: number) => (index === 7 ? "canary" : undefined);
    const fleet = await gathered({ waves: "canary,50%,100%", labelOf });
    fleet.newest = "v2";

    await fleet.time.pass(5 * minuteMs, () => fleet.tried("v2").length > 0);

    expect(fleet.tried("v2").map(({ index }) => index)).toEqual([7]);
  });

  it("does not wait for who is paused, dead, or has skipped the release", async () => {
    const fleet = await gathered({ waves: "3,100%" });
    const decision = { by: "alice", at: "2026-01-01T00:00:00.000Z" };
    const [paused, skipping, dead] = fleet.hosts;
    await paused?.ledger.update((state) => pauseDeployments(state, decision));
    await skipping?.ledger.update((state) => skipRelease(state, { tag: "v2", ...decision }));
    dead?.die();

    fleet.newest = "v2";
    await fleet.time.pass(60 * minuteMs, () => fleet.running("v2").length === 7);

    expect(fleet.running("v2")).toHaveLength(7);
    expect(fleet.events).toEqual([]);
  });

  it("needs as many good hosts as it is large, and bears as many bad ones as it is told", async () => {
    const fleet = await gathered({ waves: "2,100%", changes: { failureLimit: 2 } });
    let bad: number | undefined;
    fleet.behaviour = (tag, index) => {
      if (tag === "v2") bad ??= index;
      return tag === "v2" && index === bad ? "bad" : "good";
    };
    fleet.newest = "v2";

    await fleet.time.pass(60 * minuteMs, () => fleet.running("v2").length === 9);

    expect(fleet.running("v2")).toHaveLength(9);
    expect(fleet.events).toEqual([]);
  });
});

describe("a halted rollout", () => {
  it("is told once, and goes on when a person has it tried again and it is good", async () => {
    const fleet = await gathered({ waves: "1,100%" });
    fleet.behaviour = (tag) => (tag === "v2" ? "bad" : "good");
    fleet.newest = "v2";
    await fleet.time.pass(10 * minuteMs);
    const [bad] = fleet.tried("v2");
    const held = fleet.hosts.find((host) => host !== bad);
    expect(fleet.events).toEqual([
      {
        ...{ type: "rollout halted", tag: "v2", installed: 1, hosts: 10 },
        reason: `it was bad on host-${bad?.index}: answered 500`,
      },
    ]);
    expect(held?.waiting).toBe(
      `its rollout is halted: it was bad on host-${bad?.index}: answered 500`,
    );

    fleet.behaviour = () => "good";
    await bad?.ledger.update((state) => releaseHolds(state, "v2"));
    await fleet.time.pass(20 * minuteMs, () => fleet.running("v2").length === 10);

    expect(fleet.running("v2")).toHaveLength(10);
    expect(fleet.events).toHaveLength(1);
  });

  it("holds up no newer release", async () => {
    const fleet = await gathered({ waves: "1,100%" });
    fleet.behaviour = (tag) => (tag === "v2" ? "bad" : "good");
    fleet.newest = "v2";
    await fleet.time.pass(10 * minuteMs);

    fleet.newest = "v3";
    await fleet.time.pass(20 * minuteMs, () => fleet.running("v3").length === 10);

    expect(fleet.running("v3")).toHaveLength(10);
    expect(fleet.tried("v2")).toHaveLength(1);
  });

  it("is passed over by a new host, which takes the release before", async () => {
    const fleet = await gathered({ waves: "1,100%" });
    fleet.behaviour = (tag) => (tag === "v2" ? "bad" : "good");
    fleet.newest = "v2";
    await fleet.time.pass(10 * minuteMs);

    const added = fleet.start(10, { isNew: true });
    await fleet.time.pass(3 * minuteMs);

    expect(added.ledger.state.active?.tag).toBe("v1");
    expect(fleet.tried("v2")).toHaveLength(1);
  });
});

describe("hosts whose cache fails", () => {
  it("install nothing, and say why; but a new one has its first release", async () => {
    const fleet = await gathered({ waves: "1,100%" });
    fleet.store.fail();
    fleet.newest = "v2";
    await fleet.time.pass(60 * minuteMs);
    expect(fleet.tried("v2")).toEqual([]);
    expect(fleet.hosts[0]?.waiting).toBe("its wave cannot be known: redis://store does not answer");

    const added = fleet.start(10, { isNew: true });
    await fleet.time.pass(3 * minuteMs);
    expect(added.ledger.state.active?.tag).toBe("v2");

    fleet.store.recover();
    await fleet.time.pass(20 * minuteMs, () => fleet.running("v2").length === 11);
    expect(fleet.running("v2")).toHaveLength(11);
  });

  it("replace a record that somebody else has written", async ({ signal }) => {
    const fleet = await gathered({ waves: "1,100%" });
    const rubbish = Buffer.from('{"version":2}');
    await fleet.store.cache.write("waves-test", rubbish, { ifVersion: "any" }, { signal });

    fleet.newest = "v2";
    await fleet.time.pass(30 * minuteMs, () => fleet.running("v2").length === 10);

    expect(fleet.running("v2")).toHaveLength(10);
  });

  it("go on waiting for nobody, when all agents were started again", async () => {
    const fleet = await gathered({ waves: "1,100%" });
    fleet.newest = "v2";
    await fleet.time.pass(5 * minuteMs, () => fleet.tried("v2").length === 1);
    for (const host of fleet.hosts) {
      host.die();
      host.revive();
    }

    await fleet.time.pass(30 * minuteMs, () => fleet.running("v2").length === 10);

    expect(fleet.running("v2")).toHaveLength(10);
  });
});

/** Ten hosts that know of one another. */
async function gathered(plan: Omit<FleetPlan, "seed" | "hosts">) {
  const fleet = simulateFleet({ seed: 1, hosts: 10, ...plan });
  onTestFinished(() => fleet.stop());
  await fleet.time.pass(3 * minuteMs);
  return fleet;
}
