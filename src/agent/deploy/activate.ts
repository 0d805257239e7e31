import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Observe } from "../event.ts";
import { commitDeployment, noteVote } from "../ledger/attempt.ts";
import type { DeployedRelease, Ledger } from "../ledger/ledger.ts";
import type { PhaseTrack } from "./phases.ts";
import type { Releases } from "./releases.ts";

/** What was started from the new release, until somebody decides about it. */
export interface Started {
  /** Of the process, where there is one. */
  readonly pid?: number;
  readonly generation?: number;
  /** Settles when it has died by itself, with what there is to say; else when it was decided about. */
  readonly failed?: Promise<Error | undefined>;
  /** Watches it while it has the traffic, and the one before it is still there. @throws when it fails */
  bake?(call: Call): Promise<void>;
  /** Takes the rest into service, where it was a part that was watched. @throws when it fails */
  complete?(call: Call): Promise<void>;
  /** Makes it the one in service. @throws when it has died meanwhile */
  commit(): void;
  /** Ends it. What was in service before is as it was. */
  undo(): Promise<void>;
}

/** Starts what `current` leads to, the release `tag`, beside what is in service, until it is ready. */
export type Start = (call: Call & { tag: string }) => Promise<Started>;

/** What the apps of a group have to come to before any of them commits. */
export interface Agreement {
  readonly journal: string;
  proved(
    directory: string,
    failed: Promise<Error | undefined> | undefined,
    call: Call,
  ): Promise<void>;
  noted(): Promise<void>;
}

export interface ActivateParts {
  agreement?: Agreement | undefined;
  ledger: Ledger;
  releases: Releases;
  start: Start;
  clock: Clock;
  logger: Logger;
  observe: Observe;
}

/**
 * Points `current` to the release, starts it, waits until it has proved itself, and commits.
 *
 * Whatever fails is undone here: `current` and the running process are then what they were.
 */
export async function activate(
  release: DeployedRelease,
  phases: PhaseTrack,
  parts: ActivateParts,
  call: Call,
): Promise<void> {
  const { releases, logger, observe } = parts;
  const { tag, directory } = release;
  const before = await proven(parts);
  let started: Started | undefined;
  try {
    await phases.enter("switch");
    await releases.switchTo(directory);
    logger.info("Create symlink", { from: directory, to: "current" });

    await phases.enter("start");
    started = await parts.start({ signal: call.signal, tag });
    // The first one is watched in vain: there is nothing to go back to.
    if (before !== undefined) await started.bake?.(call);
    await started.complete?.(call);

    await agree(release, started, parts, call);
    await phases.enter("commit");
    await commit(release, started, parts);
    const { pid, generation } = started;
    if (pid === undefined) return logger.info("Release in service", { tag, directory });
    logger.info("Start server", { tag, pid, generation });
    observe({ type: "app started", reason: "deploy", tag, pid });
  } catch (error) {
    // In this order: what is started again after the undoing is what `current` leads to.
    await putBack(before, parts);
    await started?.undo();
    throw error;
  }
}

/** The vote first: after a kill, the ledger says where the decision is. */
async function agree(
  release: DeployedRelease,
  { failed }: Started,
  { agreement, ledger }: ActivateParts,
  call: Call,
): Promise<void> {
  if (!agreement) return;
  const { journal } = agreement;
  await ledger.update((state) => noteVote(state, { journal, release }));
  await agreement.proved(release.directory, failed, call);
}

/** The directory that `current` is to name when this deployment fails. */
async function proven({ releases, ledger }: ActivateParts): Promise<string | undefined> {
  const { active } = ledger.state;
  if (active && (await releases.isComplete(active.directory))) return active.directory;
  const current = await releases.current();
  return current?.complete ? current.directory : undefined;
}

/** A disk that is full may refuse even this: then the release stays until `current` lets go of it. */
async function putBack(
  directory: string | undefined,
  { releases, logger }: ActivateParts,
): Promise<void> {
  try {
    if (directory === undefined) await releases.unlinkCurrent();
    else await releases.switchTo(directory);
  } catch (error) {
    logger.error("current could not be put back", { directory, error });
  }
}

/** The ledger first: what is in service without being named there would be undone after a kill. */
async function commit(
  release: DeployedRelease,
  started: Started,
  { ledger, clock, agreement }: ActivateParts,
): Promise<void> {
  const before = ledger.state;
  await ledger.update((state) => commitDeployment(state, release, clock.now()));
  try {
    await agreement?.noted();
    started.commit();
  } catch (error) {
    await ledger.hold(() => before);
    throw error;
  }
}
