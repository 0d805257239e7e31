import { describe, expect, it } from "vitest";
import { semanticVersions } from "../../base/version.ts";
import { digestOf } from "../../oci/digest.ts";
import type { Choice, ChoiceRules } from "../choose/choose.ts";
import { pinRelease, quarantine, skipRelease } from "../ledger/holds.ts";
import type { DeployedRelease, LedgerState } from "../ledger/ledger.ts";
import { noteSigned } from "../ledger/signed.ts";
import { fakeArtifact } from "../release-registry.fake.ts";
import { olderSignature, olderVersion } from "./replay.ts";
import type { Evidence } from "./verifier.ts";

const now = new Date("2026-06-01T00:00:00Z");
const person = { by: "alice", at: now.toISOString() };
const empty: LedgerState = { version: 1, releases: [] };
const rules: ChoiceRules = { preRelease: false, platform: { os: "linux", architecture: "amd64" } };

/** After v2.0.0, signed in May, was deployed. */
const state = noteSigned(empty, deployed("v2.0.0", "2026-05-01T00:00:00.000Z"), now);

describe("a lower version", () => {
  const refusal = (tag: string, after: LedgerState, change: Partial<ChoiceRules> = {}) =>
    olderVersion(choiceOf(tag), partsFor(after, change))?.message;

  it("than what was deployed by its signature is refused", () => {
    expect(refusal("v1.9.0", state)).toBe(
      "fake://app offers v1.9.0 as its newest, and v2.0.0 was verified at 2026-06-01T00:00:00.000Z",
    );
    expect([refusal("v2.0.0", state), refusal("v2.0.1", state)]).toEqual([undefined, undefined]);
    expect(refusal("v1.9.0", empty)).toBeUndefined();
  });

  it("of another registry, or after a release without a signature, is none of it", () => {
    const elsewhere = noteSigned(empty, deployed("v2.0.0", undefined, "fake://other"), now);
    expect(refusal("v1.9.0", elsewhere)).toBeUndefined();
    const checksum = {
      ...deployed("v2.0.0"),
      evidence: { ...evidence(undefined), kind: "checksum" },
    };
    expect(noteSigned(empty, checksum, now)).toBe(empty);
  });

  it("is taken where a person, this host or its options say so", () => {
    const pinned = pinRelease(state, { tag: "v1.9.0", ...person });
    const skipped = skipRelease(state, { tag: "v2.0.0", ...person });
    const bad = { tag: "v2.0.0", identity: "x", reason: "it crashed", at: person.at };
    const quarantined = quarantine(state, { ...bad, failures: 1, logTail: [] });
    for (const after of [pinned, skipped, quarantined]) {
      expect(refusal("v1.9.0", after)).toBeUndefined();
    }
    const constraint = { text: "^1", allows: ({ tag }: { tag: string }) => tag.startsWith("v1") };
    expect(refusal("v1.9.0", state, { constraint })).toBeUndefined();
  });

  it("that was pinned leaves the mark where it is", () => {
    const pinned = pinRelease(state, { tag: "v1.9.0", ...person });

    expect(noteSigned(pinned, deployed("v1.9.0"), now).signed).toEqual(state.signed);
  });
});

describe("a signature", () => {
  const refusal = (signedAt: string | undefined, after = state, maximumAgeMs?: number) =>
    olderSignature(choiceOf("v3.0.0"), evidence(signedAt), {
      ...partsFor(after),
      maximumAgeMs,
    });

  it("that is older than the last one is refused, under whatever version", () => {
    expect(refusal("2026-04-30T00:00:00.000Z")).toMatchObject({
      code: "REPLAYED",
      message:
        "SHA256SUMS.minisig of v3.0.0 was signed at 2026-04-30T00:00:00.000Z, and v2.0.0, deployed before, at 2026-05-01T00:00:00.000Z",
    });
    expect(refusal(undefined)).toMatchObject({ code: "REPLAYED" });
    expect(refusal("2026-05-01T00:00:00.000Z")).toBeUndefined();
  });

  it("by other keys than the last one is not held against its time", () => {
    const [before] = state.signed ?? [];
    const rotated = { ...state, ...(before && { signed: [{ ...before, policy: "signature:2" }] }) };

    expect(refusal("2026-04-30T00:00:00.000Z", rotated)).toBeUndefined();
  });

  it("that is older than may be is refused", () => {
    const day = 86_400_000;

    expect(refusal("2026-05-30T00:00:00.000Z", empty, 2 * day)).toBeUndefined();
    expect(refusal("2026-05-30T00:00:00.000Z", empty, day)).toMatchObject({ code: "TOO_OLD" });
    expect(refusal(undefined, empty, day)).toMatchObject({
      code: "TOO_OLD",
      message: expect.stringContaining("does not say when it was signed"),
    });
  });

  it("from a clock that is ahead locks nothing out", () => {
    const ahead = noteSigned(empty, deployed("v2.0.0", "2036-01-01T00:00:00.000Z"), now);

    expect(refusal("2026-06-02T00:00:00.000Z", ahead)).toBeUndefined();
  });
});

function partsFor(after: LedgerState, change: Partial<ChoiceRules> = {}) {
  const asked = { ...rules, ...change };
  return { registry: "fake://app", state: after, rules: asked, now, maximumAgeMs: undefined };
}

function choiceOf(tag: string): Choice {
  const artifact = fakeArtifact("app");
  const release = { tag, artifacts: [artifact], publishedAt: undefined };
  const version = semanticVersions.parse(tag);
  if (!version) throw new Error(`${tag} is no version`);
  return { tag, version, release, artifact, passedOver: [] };
}

function evidence(signedAt: string | undefined, registry = "fake://app"): Evidence {
  const known = {
    kind: "minisign",
    checked: "SHA256SUMS.minisig",
    registry,
    policy: "signature:1",
  };
  return { ...known, ...(signedAt && { signedAt }) };
}

function deployed(tag: string, signedAt?: string, registry?: string): DeployedRelease {
  const place = { artifact: "app", directory: `/releases/${tag}`, since: person.at };
  const proof = evidence(signedAt, registry);
  return { tag, identity: tag, digest: digestOf(tag), ...place, evidence: proof };
}
