import { describe, expect, it } from "vitest";
import { beginAttempt, failAttempt, isDue } from "./attempt.ts";
import {
  heldReason,
  notePinned,
  pauseAt,
  pauseDeployments,
  pinAt,
  pinRelease,
  quarantine,
  quarantineReason,
  releaseHolds,
  resumeDeployments,
  skipReason,
  skipRelease,
  unpinRelease,
} from "./holds.ts";
import type { LedgerState } from "./ledger.ts";

const now = new Date("2026-11-29T06:00:00Z");
const at = now.toISOString();
const tomorrow = "2026-11-30T06:00:00.000Z";
const empty: LedgerState = { version: 1, releases: [] };
const failed = { tag: "v2", identity: "a", reason: "it died", at, failures: 3, logTail: ["oh"] };
const decision = { tag: "v2", by: "alice", at, reason: "slow" };

describe("quarantine", () => {
  it("holds a release, and not the same tag with other bytes", () => {
    const state = quarantine(empty, failed);

    expect(quarantineReason(state, failed)).toBe(
      "in quarantine since 2026-11-29T06:00:00Z, failed 3 times: it died",
    );
    expect(heldReason(state, { tag: "v2", identity: "b" }, now)).toBeUndefined();
    expect(heldReason(state, { tag: "v3", identity: "a" }, now)).toBeUndefined();
  });

  it("remembers one entry a tag, a bounded tail, and a bounded number of releases", () => {
    const logTail = Array.from({ length: 80 }, (_, index) => `${index} ${"x".repeat(600)}`);
    let state = quarantine(quarantine(empty, failed), { ...failed, failures: 1, logTail });
    expect(state.quarantined).toHaveLength(1);
    expect(state.quarantined?.[0]?.logTail).toHaveLength(50);
    expect(state.quarantined?.[0]?.logTail[0]).toHaveLength(500);

    for (let release = 0; release < 60; release++) {
      state = quarantine(state, { ...failed, tag: `v3.${release}` });
    }
    expect(state.quarantined).toHaveLength(50);
    expect(state.quarantined?.[0]?.tag).toBe("v3.59");
  });

  it("ends by hand, and then the release is due at once, its failures forgotten", () => {
    const target = { tag: "v2", identity: "a", artifact: "app.tar.gz" };
    const trying = failAttempt(beginAttempt(empty, target, now), new Error("no"), now);
    const state = quarantine(trying, failed);

    const released = releaseHolds(state, "v2");

    expect(released).toEqual(empty);
    expect(isDue(released, target, now)).toBe(true);
    expect(releaseHolds(state, "v1")).toEqual(state);
  });
});

describe("what a person decides", () => {
  it("skips a release, until a time where there is one", () => {
    const state = skipRelease(empty, { ...decision, until: tomorrow });

    expect(skipReason(state, "v2", now)).toBe(
      "skipped by alice at 2026-11-29T06:00:00Z, until 2026-11-30T06:00:00Z: slow",
    );
    expect(skipReason(state, "v2", new Date(tomorrow))).toBeUndefined();
    expect(skipReason(state, "v1", now)).toBeUndefined();
    expect(releaseHolds(state, "v2")).toEqual(empty);
  });

  it("pins a release, which frees it of what held it", () => {
    const state = pinRelease(skipRelease(quarantine(empty, failed), decision), decision);

    expect(pinAt(state, now)).toEqual(decision);
    expect(heldReason(state, failed, now)).toBeUndefined();
    expect(heldReason(state, { tag: "v3", identity: "c" }, now)).toContain("v2 is pinned by alice");
    expect(unpinRelease(state)).toEqual(empty);
  });

  it("means by a pin the bytes that were seen first, and no others under that tag", () => {
    const other = { tag: "v2", identity: "b" };
    const state = notePinned(notePinned(pinRelease(empty, decision), failed), other);

    expect(pinAt(state, now)?.identity).toBe("a");
    expect(heldReason(state, failed, now)).toBeUndefined();
    expect(heldReason(state, other, now)).toMatch(
      /v2 was published again, and is pinned as it was/,
    );
    expect(heldReason(pinRelease(state, decision), other, now)).toBeUndefined();
  });

  it("takes the pin away from a release that is skipped after it", () => {
    const state = skipRelease(pinRelease(empty, decision), decision);

    expect(pinAt(state, now)).toBeUndefined();
    expect(skipReason(state, "v2", now)).toBeDefined();
  });

  it("pauses, and resumes by itself where a time was given", () => {
    const { tag: _tag, ...pause } = decision;
    const state = pauseDeployments(empty, { ...pause, until: tomorrow });

    expect(pauseAt(state, now)).toMatchObject({ by: "alice" });
    expect(pauseAt(state, new Date(tomorrow))).toBeUndefined();
    expect(resumeDeployments(state)).toEqual(empty);
  });
});
