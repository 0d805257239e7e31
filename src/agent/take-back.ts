import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { afterwards } from "./deploy/afterwards.ts";
import type { RunHook } from "./deploy/hook.ts";
import type { Releases } from "./deploy/releases.ts";
import type { Observe } from "./event.ts";
import type { DeployedRelease, Ledger } from "./ledger/ledger.ts";
import { takeBack, undoTakeBack, type Verdict } from "./ledger/watch.ts";
import type { GoneBack } from "./report.ts";

export interface TakeBackParts {
  ledger: Ledger;
  releases: Releases;
  clock: Clock;
  logger: Logger;
  /** Puts what `current` names in place of what is in service; never fails for good. */
  goBack(tag: string, call: Call): Promise<void>;
  rollbackHook: RunHook | undefined;
  observe: Observe;
  /** The registry is told last. */
  tell(gone: GoneBack, call: Call): Promise<void>;
}

/** Puts `good` in the place of a release that was committed, and that one into quarantine. */
export async function takeReleaseBack(
  good: DeployedRelease,
  about: Verdict & { reason: string; logTail: readonly string[] },
  { ledger, releases, clock, observe, goBack }: TakeBackParts,
  call: Call,
): Promise<GoneBack> {
  const { bad, deaths, reason, logTail } = about;
  const before = ledger.state;
  await ledger.update((state) => takeBack(state, good, about, clock.now()));
  try {
    await releases.switchTo(good.directory);
  } catch (error) {
    await ledger.update((state) => undoTakeBack(state, before));
    throw error;
  }
  const { tag } = bad;
  const by = { kind: "crashes" } as const;
  observe({ type: "rolled back", tag, to: good.tag, reason, deaths });
  observe({ type: "release quarantined", tag, reason, failures: deaths, logTail, by });
  await goBack(good.tag, call);
  return { bad, good, reason, at: clock.now() };
}

/** Runs the rollback-hook, and tells the registry. */
export async function tellTakenBack(
  gone: GoneBack,
  { rollbackHook: hook, logger, tell }: TakeBackParts,
  call: Call,
): Promise<void> {
  const { bad, good } = gone;
  const by = { kind: "crashes" } as const;
  const facts = { tag: bad.tag, previousTag: good.tag, releaseDirectory: bad.directory, by };
  await afterwards("rollback", facts, { hooks: { rollback: hook }, logger }, call);
  await tell(gone, call);
}
