import { describe, expect, it } from "vitest";
import { digestOf } from "../../oci/digest.ts";
import { beginAttempt, commitDeployment } from "./attempt.ts";
import { pauseDeployments, pinRelease, quarantineReason, skipRelease } from "./holds.ts";
import type { DeployedRelease, LedgerState } from "./ledger.ts";
import { goodReleases, noteDeath, takeBack, undoTakeBack, verdictOf } from "./watch.ts";

const start = new Date("2026-11-29T08:00:00Z");
const at = (seconds: number) => new Date(start.getTime() + seconds * 1_000);
const rules = { crashLimit: 3, watchMs: 3_600_000 };
const alice = { by: "alice", at: start.toISOString() };

describe("the watch over a release that was committed", () => {
  it("counts deaths in its time, however long each life was", () => {
    const state = died(deployed("v1", "v2"), 30, 1_200);
    expect(verdictOf(state, rules, at(1_200))).toBeUndefined();

    expect(verdictOf(died(state, 3_500), rules, at(3_500))).toMatchObject({
      ...{ bad: { tag: "v2" }, deaths: 3, pin: undefined },
    });
  });

  it.each([
    ["after its time", 3_600, rules],
    ["when nobody wants any counted", 1, { ...rules, watchMs: 0 }],
  ])("counts none %s", (_when, seconds, asked) => {
    const state = deployed("v1", "v2");

    expect(noteDeath(state, asked, at(seconds))).toBe(state);
  });

  it("ends with the way back, which is not watched itself", () => {
    const state = died(deployed("v1", "v2"), 1, 2, 3);
    const verdict = verdictOf(state, rules, at(3));
    const [good] = goodReleases(state, at(3));
    if (!verdict || !good) throw new Error("there is no way back");

    const back = takeBack(state, good, { ...verdict, reason: "it died", logTail: ["oh"] }, at(4));

    expect(back.active).toMatchObject({ tag: "v1", since: at(4).toISOString() });
    expect(back.lastGood).toBeUndefined();
    expect(back.quarantined).toMatchObject([{ tag: "v2", failures: 3, logTail: ["oh"] }]);
    expect(quarantineReason(back, release("v2"))).toContain("it died");
    expect(noteDeath(back, rules, at(5))).toBe(back);
  });

  it("says who wants it all the same", () => {
    const state = pinRelease(died(deployed("v1", "v2"), 1, 2, 3), { tag: "v2", ...alice });

    expect(verdictOf(state, rules, at(3))?.pin).toMatchObject({ by: "alice" });
  });

  it("undoes a going back, and not what a person has decided meanwhile", () => {
    const before = died(deployed("v1", "v2"), 1, 2, 3);
    const verdict = verdictOf(before, rules, at(3));
    const [good] = goodReleases(before, at(3));
    if (!verdict || !good) throw new Error("there is nothing to go back to");
    const back = takeBack(before, good, { ...verdict, reason: "it died", logTail: [] }, at(4));

    const undone = undoTakeBack(pauseDeployments(back, alice), before);

    expect(undone).toEqual(pauseDeployments(before, alice));
  });

  it("goes back neither to what a person has skipped nor to what has failed", () => {
    const state = skipRelease(deployed("v1", "v2", "v3"), { tag: "v2", ...alice });

    expect(goodReleases(state, at(1)).map(({ tag }) => tag)).toEqual(["v1"]);
  });

  it("takes none for the last good one that was dying as it was replaced", () => {
    const state = died(deployed("v1", "v2"), 100, 110);

    expect(commit(state, "v3", at(120)).lastGood?.tag).toBe("v1");
    expect(commit(state, "v3", at(1_000)).lastGood?.tag).toBe("v2");
  });
});

function deployed(...tags: string[]): LedgerState {
  return tags.reduce<LedgerState>((state, tag) => commit(state, tag, start), {
    ...{ version: 1, releases: [] },
  });
}

function commit(state: LedgerState, tag: string, now: Date): LedgerState {
  const { identity, artifact } = release(tag);
  return commitDeployment(beginAttempt(state, { tag, identity, artifact }, now), release(tag), now);
}

function died(state: LedgerState, ...seconds: number[]): LedgerState {
  return seconds.reduce((before, second) => noteDeath(before, rules, at(second)), state);
}

function release(tag: string): DeployedRelease {
  const directory = `/srv/app/releases/${tag}`;
  const since = start.toISOString();
  return { tag, identity: tag, digest: digestOf(tag), artifact: "app", directory, since };
}
