import { describe, expect, it } from "vitest";
import { digestOf } from "../../oci/digest.ts";
import {
  advanceAttempt,
  beginAttempt,
  commitRelease,
  confirmHarmless,
  failAttempt,
  isDue,
  keepReleases,
  leaveAttempt,
  noteCutOff,
  noteVote,
} from "./attempt.ts";
import type { DeployedRelease, LedgerState } from "./ledger.ts";

const start = new Date("2026-11-21T05:20:30Z");
const target = { tag: "v2", identity: "a", artifact: "app.tar.gz" };
const empty: LedgerState = { version: 1, releases: [] };

describe("an attempt", () => {
  it("is due unless it has failed a short while ago", () => {
    const trying = beginAttempt(empty, target, start);
    const failed = failAttempt(trying, new Error("no"), start);

    expect(isDue(empty, target, start)).toBe(true);
    expect(isDue(trying, target, start)).toBe(true);
    expect(isDue(failed, target, later(4_999))).toBe(false);
    expect(isDue(failed, target, later(10_000))).toBe(true);
  });

  it("is due when the clock was set back to before it", () => {
    const failed = failAttempt(beginAttempt(empty, target, start), new Error("no"), start);

    expect(isDue(failed, target, later(-3_600_000))).toBe(true);
  });

  it.each([
    ["another tag", { ...target, tag: "v3" }],
    ["the same tag published again", { ...target, identity: "b" }],
  ])("knows no failures of %s", (_what, other) => {
    const failed = failAttempt(beginAttempt(empty, target, start), new Error("no"), start);

    expect(isDue(failed, other, start)).toBe(true);
    expect(beginAttempt(failed, other, start).attempt?.failures).toBe(0);
    expect(beginAttempt(failed, target, start).attempt?.failures).toBe(1);
  });

  it("waits longer with each failure, from ten seconds to ten minutes", () => {
    const waits: number[] = [];
    let state = empty;
    for (let failures = 1; failures <= 9; failures++) {
      state = failAttempt(beginAttempt(state, target, start), new Error("no"), start);
      waits.push(new Date(state.attempt?.retryAt ?? 0).getTime() - start.getTime());
    }

    for (const [index, wait] of waits.entries()) {
      const ceiling = Math.min(600_000, 10_000 * 2 ** index);
      expect(wait).toBeGreaterThanOrEqual(Math.floor(ceiling / 2));
      expect(wait).toBeLessThanOrEqual(ceiling);
    }
  });

  it("waits as long as the registry asked for", () => {
    const failed = failAttempt(beginAttempt(empty, target, start), new Error("no"), start, {
      waitMs: 900_000,
    });

    expect(failed.attempt?.retryAt).toBe(later(900_000).toISOString());
  });

  it("remembers how far it came, and a bounded part of what went wrong", () => {
    const unpacking = advanceAttempt(beginAttempt(empty, target, start), "unpack", "/r/1");
    const switching = advanceAttempt(unpacking, "switch");
    const failed = failAttempt(switching, new Error("x".repeat(5_000)), start);

    expect(failed.attempt).toMatchObject({ phase: "switch", directory: "/r/1" });
    expect(failed.attempt?.error).toHaveLength(1_000);
  });
});

describe("a release whose agents are killed while it is started", () => {
  const started = (state: LedgerState) =>
    advanceAttempt(beginAttempt(state, target, start), "start");
  const killed = (state: LedgerState) => noteCutOff(started(state));
  const ledgers: [string, LedgerState][] = [
    ["the second of them", started(killed(killed(empty)))],
    ["an agent that was told to end", noteCutOff(leaveAttempt(started(killed(killed(empty)))))],
    ["a failure", noteCutOff(failAttempt(started(killed(killed(empty))), new Error("no"), start))],
    ["what a group has yet to decide", noteCutOff(voted(started(killed(killed(empty)))))],
    ["one that was killed while it fetched", noteCutOff(beginAttempt(empty, target, start))],
  ];

  it("is harmful at the third of them", () => {
    const { attempt } = beginAttempt(killed(killed(killed(empty))), target, start);

    expect(() => confirmHarmless(attempt)).toThrow("3 agents in a row were killed");
    const other = { ...target, identity: "b" };
    const next = beginAttempt(killed(killed(killed(empty))), other, start);
    expect(() => confirmHarmless(next.attempt)).not.toThrow();
  });

  it.each(ledgers)("is not so by %s", (_what, state) => {
    const { attempt } = beginAttempt(state, target, start);

    expect(() => confirmHarmless(attempt)).not.toThrow();
  });

  it("begins anew after a failure", () => {
    const failed = failAttempt(started(killed(killed(empty))), new Error("no"), start);

    expect(beginAttempt(failed, target, start).attempt?.cutOff).toBeUndefined();
  });

  it("is so still when one was killed while it fetched, between them", () => {
    const between = noteCutOff(beginAttempt(killed(killed(empty)), target, start));

    expect(killed(between).attempt?.cutOff).toBe(3);
  });

  function voted(state: LedgerState): LedgerState {
    return noteVote(state, { journal: "/j", release: deployed("1") });
  }
});

describe("commitRelease", () => {
  it("makes the one before the last good one, and forgets the attempt", () => {
    const one = commitRelease(beginAttempt(empty, target, start), deployed("1"));
    const two = commitRelease(one, deployed("2"));
    const three = commitRelease(two, deployed("3"));

    expect(one).toEqual({ ...empty, active: deployed("1"), releases: [deployed("1")] });
    expect(three.active).toEqual(deployed("3"));
    expect(three.lastGood).toEqual(deployed("2"));
    expect(three.releases).toEqual([deployed("3"), deployed("2"), deployed("1")]);
  });

  it("keeps the last good one when the active one is committed again", () => {
    const two = commitRelease(commitRelease(empty, deployed("1")), deployed("2"));

    expect(commitRelease(two, deployed("2"))).toEqual(two);
  });
});

describe("keepReleases", () => {
  const two = commitRelease(commitRelease(empty, deployed("1")), deployed("2"));

  it.each([
    ["all", ["/r/1", "/r/2"], two],
    ["none but the active one", ["/r/2"], { active: deployed("2"), releases: [deployed("2")] }],
    ["the last good one as active", ["/r/1"], { active: deployed("1"), releases: [deployed("1")] }],
    ["none", [], { releases: [] }],
  ])("keeps %s", (_what, directories, expected) => {
    expect(keepReleases(two, directories)).toEqual({ version: 1, ...expected });
  });
});

const later = (ms: number) => new Date(start.getTime() + ms);

function deployed(name: string): DeployedRelease {
  const directory = `/r/${name}`;
  return { ...target, digest: digestOf(name), directory, since: start.toISOString() };
}
