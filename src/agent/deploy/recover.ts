import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { isDecided } from "../groups/journal.ts";
import { commitDeployment, keepReleases, noteCutOff } from "../ledger/attempt.ts";
import type { DeployedRelease, Ledger, LedgerState } from "../ledger/ledger.ts";
import type { Releases } from "./releases.ts";
import { removeTree } from "./removal.ts";

interface RecoverParts {
  clock: Clock;
  ledger: Ledger;
  releases: Releases;
  logger: Logger;
}

/**
 * Undoes what a killed agent left half done, before anything is started or asked. What somebody has
 * removed meanwhile is no longer active, so that the next poll deploys it again.
 *
 * Afterwards `current` names the active release, or, when that is gone from the disk, the last good
 * one. Without either (the ledger was lost, or the first deployment was interrupted as it was to be
 * committed) `current` stays what it is, as long as it names a complete release. A first one that has
 * not proved itself is tried again as any other, and serves nobody before.
 *
 * The ledger then names as active what is on disk, so that what somebody has removed is deployed
 * again instead of being taken for done.
 */
export async function recover(parts: RecoverParts): Promise<void> {
  const { ledger, releases, logger } = parts;
  await releases.sweep();
  await heedDecision(parts);
  const { active, lastGood } = ledger.state;
  const onDisk = await releases.list();
  const good = [active, lastGood].find((release) => release && onDisk.includes(release.directory));

  const current = await releases.current();
  if (good && current?.directory !== good.directory) {
    await releases.switchTo(good.directory);
    logger.warn("put back the last good release", { tag: good.tag, directory: good.directory });
  } else if (current && !current.complete) {
    await releases.unlinkCurrent();
    logger.warn("removed a link to a release that is not there", { directory: current.directory });
  } else if (current && isUnproved(current.directory, ledger.state)) {
    await releases.unlinkCurrent();
    logger.warn("removed a link to a release that has not proved itself", {
      ...{ tag: ledger.state.attempt?.tag, directory: current.directory },
    });
  }
  await removeUncommitted(parts);
  if (noteCutOff(ledger.state) !== ledger.state) await noted(noteCutOff, parts);
  if (active && !onDisk.includes(active.directory)) await noteLoss(active, onDisk, parts);
}

/** Whether the agent was killed before it could tell whether what is in `directory` is of any use. */
function isUnproved(directory: string, { attempt, releases }: Readonly<LedgerState>): boolean {
  if (attempt?.directory !== directory || attempt.vote || attempt.phase === "commit") return false;
  return !releases.some((release) => release.directory === directory);
}

/** Commits what the group had decided on when the agent was killed: the others have done so, or will. */
async function heedDecision({ ledger, releases, clock, logger }: RecoverParts): Promise<void> {
  const { vote } = ledger.state.attempt ?? {};
  if (!vote) return;
  const { journal, release } = vote;
  if (!(await isDecided(journal, release.directory, logger))) return;
  if (!(await releases.isComplete(release.directory))) return;
  await ledger.update((state) => commitDeployment(state, release, clock.now()));
  logger.warn("committed what the group had decided on", { tag: release.tag });
}

async function noteLoss(
  { tag, directory }: DeployedRelease,
  onDisk: readonly string[],
  parts: RecoverParts,
): Promise<void> {
  parts.logger.warn("the active release is gone from the disk", { tag, directory });
  await noted((state) => keepReleases(state, onDisk), parts);
}

/** A full disk keeps the note from being written, and must not keep the app from being started. */
async function noted(
  change: (state: Readonly<LedgerState>) => LedgerState,
  { ledger, logger }: RecoverParts,
): Promise<void> {
  try {
    await ledger.update(change);
  } catch (error) {
    logger.error("the ledger could not be written", { error });
  }
}

/** What was unpacked when the agent was killed, and neither committed nor in service. */
async function removeUncommitted({ ledger, releases }: RecoverParts): Promise<void> {
  const { attempt, releases: committed } = ledger.state;
  const directory = attempt?.directory;
  if (directory === undefined || !(await releases.isComplete(directory))) return;
  if ((await releases.current())?.directory === directory) return;
  if (committed.some((release) => release.directory === directory)) return;
  await removeTree(directory);
}
