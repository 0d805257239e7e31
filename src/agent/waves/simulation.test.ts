import { describe, expect, it, onTestFinished } from "vitest";
import { type FleetPlan, simulateFleet } from "./simulated-fleet.fake.ts";

const minuteMs = 60_000;
/** `DEWY_SIMULATED_SEEDS=200` makes it as many. */
const seeds = Number(process.env.DEWY_SIMULATED_SEEDS ?? 5);

describe("a hundred hosts whose clocks are minutes off", { timeout: 1_800_000 }, () => {
  it.each([
    ["1,10%,50%,100%", 1],
    ["5%,25%,100%", 5],
  ])("stop a bad release inside the first wave of %s", async (waves, first) => {
    for (let seed = 1; seed <= seeds; seed++) {
      const fleet = await settled({ seed, hosts: 100, waves });
      fleet.behaviour = (tag) => (tag === "v2" ? "bad" : "good");

      fleet.newest = "v2";
      await fleet.time.pass(20 * minuteMs, () => fleet.events.length > 0);
      await fleet.time.pass(3 * minuteMs);

      expect(fleet.tried("v2").length, `seed ${seed}`).toBeLessThanOrEqual(first);
      expect(fleet.tried("v2").length, `seed ${seed}`).toBeGreaterThan(0);
      expect(fleet.running("v1")).toHaveLength(100);
      expect(fleet.events.map(({ type }) => type)).toEqual(["rollout halted"]);
      fleet.stop();
    }
  });

  it("stop it there when the store is down in between and forgets everything", async () => {
    for (let seed = 1; seed <= seeds / 4; seed++) {
      const fleet = await settled({ seed, hosts: 100, waves: "1,10%,50%,100%" });
      fleet.behaviour = (tag) => (tag === "v2" ? "bad" : "good");

      fleet.store.fail();
      fleet.newest = "v2";
      await fleet.time.pass(30 * minuteMs);
      expect(fleet.tried("v2")).toEqual([]);

      fleet.store.forget();
      fleet.store.recover();
      await fleet.time.pass(20 * minuteMs, () => fleet.events.length > 0);
      await fleet.time.pass(2 * minuteMs);
      expect(fleet.tried("v2").length, `seed ${seed}`).toBe(1);

      fleet.store.forget();
      await fleet.time.pass(6 * minuteMs);
      expect(fleet.tried("v2").length, `seed ${seed}`).toBe(1);
      fleet.stop();
    }
  });

  it("stop one that takes the machine down with it after two of them", async () => {
    const fleet = await settled({ seed: 3, hosts: 100, waves: "1,10%,50%,100%" });
    fleet.behaviour = (tag) => (tag === "v2" ? "kills the host" : "good");

    fleet.newest = "v2";
    await fleet.time.pass(50 * minuteMs);

    expect(fleet.tried("v2")).toHaveLength(2);
    expect(fleet.events).toMatchObject([
      { type: "rollout halted", reason: expect.stringContaining("fell silent") },
    ]);
  });

  it("all have a good release within an hour, though some die and the store is down for a while", async () => {
    for (let seed = 1; seed <= Math.max(1, seeds / 20); seed++) {
      const fleet = await settled({ seed, hosts: 100, waves: "1,10%,50%,100%" });
      const dead = fleet.hosts.filter(() => fleet.random() < 0.1);
      for (const host of dead) host.die();
      fleet.newest = "v2";

      await fleet.time.pass(8 * minuteMs);
      fleet.store.fail();
      await fleet.time.pass(5 * minuteMs);
      fleet.store.recover();
      const left = 100 - dead.length;
      await fleet.time.pass(90 * minuteMs, () => fleet.running("v2").length === left);

      expect(fleet.running("v2"), `seed ${seed}`).toHaveLength(left);
      expect(fleet.events).toEqual([]);
      for (const host of dead) host.revive();
      await fleet.time.pass(10 * minuteMs, () => fleet.running("v2").length === 100);
      expect(fleet.running("v2"), `seed ${seed}`).toHaveLength(100);
      fleet.stop();
    }
  });
});

/** A fleet whose hosts know of one another. */
async function settled(plan: FleetPlan) {
  const fleet = simulateFleet(plan);
  onTestFinished(() => fleet.stop());
  await fleet.time.pass(3 * minuteMs);
  return fleet;
}
