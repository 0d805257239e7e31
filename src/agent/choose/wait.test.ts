import { expect, it } from "vitest";
import { semanticVersions } from "../../base/version.ts";
import { digestOf } from "../../oci/digest.ts";
import type { LedgerState } from "../ledger/ledger.ts";
import { fakeArtifact } from "../release-registry.fake.ts";
import { waitFor } from "./wait.ts";
import { parseWindow } from "./window.ts";

const now = new Date("2026-11-29T06:00:00Z");
const at = now.toISOString();
const active = {
  ...{ tag: "v1.0.0", identity: "a", artifact: "app", directory: "/r/1", since: at },
  digest: digestOf("app"),
};
const running: LedgerState = { version: 1, releases: [active], active };
const day = { windows: [], minimumAgeMs: 86_400_000 };
const monday = { windows: [parseWindow("Mon 10:00-16:00")], minimumAgeMs: 0 };

it.each([
  ["is published too lately", day, "2026-11-28T12:00:00Z", running, "2026-11-29T12:00:00.000Z"],
  ["is old enough", day, "2026-11-28T05:00:00Z", running, undefined],
  ["was seen now, where nobody tells its age", day, undefined, running, "2026-11-30T06:00:00.000Z"],
  [
    "was seen before, where nobody tells its age",
    day,
    undefined,
    { ...running, seen: { tag: "v1.1.0", identity: "b", at: "2026-11-28T05:00:00.000Z" } },
    undefined,
  ],
  ["comes outside of the window", monday, undefined, running, "2026-11-30T10:00:00.000Z"],
  [
    "is the first of its host",
    { ...day, ...monday },
    at,
    { version: 1, releases: [] } as LedgerState,
    undefined,
  ],
])("a release that %s waits until then", (_what, rules, published, state, until) => {
  expect(waitFor(choiceOf("v1.1.0", published), rules, state, now)?.until).toBe(until);
});

it("a release that mends something of security waits for nothing", () => {
  const rules = { ...monday, minimumAgeMs: 86_400_000 };

  expect(waitFor(choiceOf("v1.1.0+security", at), rules, running, now)).toBeUndefined();
});

function choiceOf(tag: string, published: string | undefined) {
  const version = semanticVersions.parse(tag);
  if (!version) throw new Error(`${tag} is no version`);
  const release = { publishedAt: published === undefined ? undefined : new Date(published) };
  return { tag, version, release, artifact: fakeArtifact("app", { identity: "b" }) };
}
