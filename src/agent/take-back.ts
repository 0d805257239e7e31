import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { afterwards } from "./deploy/afterwards.ts";
import type { RunHook } from "./deploy/hook.ts";
import type { Releases } from "./deploy/releases.ts";
import type { Observe } from "./event.ts";
import type { DeployedRelease, Ledger, UntoldReturn } from "./ledger/ledger.ts";
import { forgetReturn, takeBack, undoTakeBack, type Verdict } from "./ledger/watch.ts";
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
  /** See `AppParts`. */
  recorded?: (() => Promise<void>) | undefined;
  /** The registry is told last. */
  tell(gone: GoneBack, call: Call): Promise<void>;
}

/**
 * Puts `good` in the place of a release that was committed, and that one into quarantine; on a full
 * disk, too: after a kill the next agent starts the bad one again, and comes to the same end.
 */
export async function takeReleaseBack(
  good: DeployedRelease,
  about: Verdict & { reason: string; logTail: readonly string[] },
  parts: TakeBackParts,
  call: Call,
): Promise<UntoldReturn> {
  const { ledger, releases, clock } = parts;
  const { bad, deaths, reason } = about;
  const before = ledger.state;
  await ledger.hold((state) => takeBack(state, good, about, clock.now()));
  try {
    await releases.switchTo(good.directory);
  } catch (error) {
    await ledger.hold((state) => undoTakeBack(state, before));
    throw error;
  }
  const gone = { bad, good, reason, deaths, at: clock.now().toISOString() };
  observeReturn(gone, parts);
  await parts.goBack(good.tag, call);
  return gone;
}

/** Tells the observers. */
export function observeReturn(
  { bad, good, reason, deaths }: UntoldReturn,
  { ledger, observe }: Pick<TakeBackParts, "ledger" | "observe">,
): void {
  const { tag, identity } = bad;
  const { quarantined = [] } = ledger.state;
  const held = quarantined.find((one) => one.tag === tag && one.identity === identity);
  const logTail = held?.logTail ?? [];
  observe({ type: "rolled back", tag, to: good.tag, reason, deaths });
  const by = { kind: "crashes" } as const;
  observe({ type: "release quarantined", tag, reason, failures: deaths, logTail, by });
}

/**
 * Runs the rollback-hook, and tells the registry. What is cut off here is done again by the next
 * agent.
 */
export async function tellTakenBack(
  { bad, good, reason, at }: UntoldReturn,
  { rollbackHook: hook, logger, tell, ledger, recorded }: TakeBackParts,
  call: Call,
): Promise<void> {
  const by = { kind: "crashes" } as const;
  const facts = { tag: bad.tag, previousTag: good.tag, releaseDirectory: bad.directory, by };
  await afterwards("rollback", facts, { hooks: { rollback: hook }, logger }, call);
  await tell({ bad, good, reason, at: new Date(at) }, call);
  await recorded?.();
  await ledger.hold(forgetReturn);
}
