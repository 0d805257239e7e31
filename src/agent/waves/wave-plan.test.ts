import { describe, expect, it } from "vitest";
import { wavesOf } from "./places.ts";
import { parseWavePlan } from "./wave-plan.ts";

const of = { tag: "v2", identity: "sha256:2" };
const hosts = Array.from({ length: 100 }, (_, index) => `host-${index}:/srv/app`);

describe("a plan of waves", () => {
  it("has numbers, shares and labels", () => {
    expect(parseWavePlan("canary, 1,12.5%,100%")).toEqual([
      { text: "canary", label: "canary" },
      { text: "1", hosts: 1 },
      { text: "12.5%", percent: 12.5 },
      { text: "100%", percent: 100 },
    ]);
  });

  it.each([
    ["", '"" is no wave'],
    ["1,50%", "the last wave has to be 100%"],
    ["0,100%", "a wave of 0 hosts would let everybody wait for nobody"],
    ["50%,10%,100%", "10% is no more than the wave before it"],
    ["10,5,100%", "5 is no more than the wave before it"],
    ["1.5,100%", "1.5 is no number of hosts"],
    ["120%,100%", "120% is more than everybody"],
    ["1;100%", '"1;100%" is no wave'],
    ["eu,eu,100%", "a label is there twice"],
    [`${Array.from({ length: 20 }, (_, index) => index + 1)},100%`, "these are more than 20 waves"],
  ])("refuses %s", (text, why) => {
    expect(() => parseWavePlan(text)).toThrow(why);
  });
});

describe("the waves of a fleet", () => {
  it("are as large as the plan says, and have everybody once", () => {
    const waves = placed("1,10%,50%,100%", [], hosts);

    expect(waves.map((wave) => wave.length)).toEqual([1, 9, 40, 50]);
    expect(new Set(waves.flat()).size).toBe(100);
  });

  it("begin with other hosts for another release, and with the same ones on each host", () => {
    const plan = parseWavePlan("5,100%");
    const fleet = { begun: [], waiting: hosts, labelOf: () => undefined };
    const backwards = { ...fleet, waiting: hosts.toReversed() };
    const firsts = Array.from({ length: 200 }, (_, index) => {
      const [first = []] = wavesOf(plan, fleet, { tag: `v1.0.${index}`, identity: "x" });
      return first;
    });

    expect(wavesOf(plan, fleet, of)).toEqual(wavesOf(plan, backwards, of));
    expect(new Set(firsts.flat()).size).toBeGreaterThan(90);
  });

  it("give the first places to who has begun", () => {
    const begun = ["late-1:/srv/app", "late-2:/srv/app"];

    const waves = placed("2,50%,100%", begun, hosts);

    expect(waves[0]).toEqual(begun);
  });

  it("put a label into its wave and into no other, and round up", () => {
    const labels: Record<string, string> = {
      "host-3:/srv/app": "canary",
      "host-4:/srv/app": "last",
    };

    const waves = placed("canary,10%,last,100%", [], hosts.slice(0, 15), labels);

    expect(waves[0]).toEqual(["host-3:/srv/app"]);
    expect(waves[1]).toHaveLength(1);
    expect(waves[2]).toEqual(["host-4:/srv/app"]);
    expect(waves[3]).toHaveLength(12);
  });

  it("leave a wave empty that a small fleet has filled already", () => {
    expect(placed("1,10%,50%,100%", [], hosts.slice(0, 3)).map((wave) => wave.length)).toEqual([
      1, 0, 1, 1,
    ]);
  });
});

function placed(
  plan: string,
  begun: readonly string[],
  waiting: readonly string[],
  labels: Record<string, string> = {},
): string[][] {
  return wavesOf(parseWavePlan(plan), { begun, waiting, labelOf: (id) => labels[id] }, of);
}
