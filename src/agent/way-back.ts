import type { Call } from "../base/call.ts";
import type { AppOptions } from "./app-options.ts";
import { type CrashWatch, type CrashWatchParts, openCrashWatch } from "./crash-watch.ts";
import type { DeployParts } from "./deploy/deploy.ts";
import type { Membership } from "./groups/membership.ts";
import type { RunningMode } from "./modes/mode.ts";
import { type ReportParts, tellGoneBack } from "./report.ts";

/** What going back to the last good release takes. */
export function backParts(
  mode: RunningMode,
  {
    reporting,
    membership,
    ...parts
  }: DeployParts & { reporting: ReportParts; membership: Membership | undefined },
): CrashWatchParts {
  return {
    ...parts,
    goBack(tag, each) {
      membership?.wakeOthers();
      return mode.goBack(tag, each);
    },
    lastWords: () => mode.lastWords(),
    rollbackHook: parts.hooks.rollback,
    tell: (gone, each) => tellGoneBack(gone, reporting, each),
  };
}

/** Goes back by itself where deaths are to be counted. */
export function watchCrashes(
  { crashes }: AppOptions,
  parts: CrashWatchParts,
  mode: RunningMode,
  call: Call,
): CrashWatch | undefined {
  if (!crashes) return undefined;
  const watch = openCrashWatch(crashes, parts, call);
  mode.onDeath(watch.died);
  return watch;
}
