import { expect, it } from "vitest";
import { FakeClock } from "../base/clock.fake.ts";
import { FakeLogger } from "../base/logger.fake.ts";
import { openTurns } from "../base/turns.ts";
import { digestOf } from "../oci/digest.ts";
import { type CrashWatchParts, openCrashWatch } from "./crash-watch.ts";
import type { HookFacts } from "./deploy/hook.ts";
import type { AgentEvent } from "./event.ts";
import { fakeLedger } from "./ledger/ledger.fake.ts";
import type { DeployedRelease } from "./ledger/ledger.ts";
import type { GoneBack } from "./report.ts";

const at = "2026-11-29T06:00:00.000Z";

it("finishes what a killed agent has left of a way back: its hook, its notices, its report", async ({
  signal,
}) => {
  const [bad, good] = [release("v2"), release("v1")];
  const ledger = fakeLedger({
    ...{ version: 1, releases: [good, bad], active: good },
    untoldReturn: { bad, good, reason: "it died", deaths: 3, at },
  });
  const events: AgentEvent[] = [];
  const hooks: HookFacts[] = [];
  const told: GoneBack[] = [];
  const parts = {
    ...{ clock: new FakeClock(new Date(at)), logger: new FakeLogger(), alone: openTurns(), ledger },
    observe: (event: AgentEvent) => void events.push(event),
    rollbackHook: async (facts: HookFacts) => void hooks.push(facts),
    tell: async (gone: GoneBack) => void told.push(gone),
  } as Partial<CrashWatchParts> as CrashWatchParts;
  const watch = openCrashWatch({ crashLimit: 3, watchMs: 1 }, parts, { signal });

  watch.tellLeft();
  watch.tellLeft();
  await watch.settled();

  expect(events).toMatchObject([
    { type: "rolled back", tag: "v2", to: "v1", reason: "it died", deaths: 3 },
    { type: "release quarantined", tag: "v2", failures: 3, by: { kind: "crashes" } },
  ]);
  expect(hooks).toMatchObject([{ tag: "v2", previousTag: "v1" }]);
  expect(told).toMatchObject([{ bad, good, reason: "it died", at: new Date(at) }]);
  expect(ledger.state.untoldReturn).toBeUndefined();
});

function release(tag: string): DeployedRelease {
  const known = { identity: tag, artifact: "app", directory: `/r/${tag}`, since: at };
  return { tag, digest: digestOf(tag), ...known };
}
