import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Choice } from "../choose/choose.ts";
import type { HookName } from "../event.ts";
import type { Participant } from "../groups/round.ts";
import { confirmHarmless } from "../ledger/attempt.ts";
import type { DeployedRelease } from "../ledger/ledger.ts";
import type { ReleaseRegistry } from "../release.ts";
import type { Admission } from "../verify/admission.ts";
import type { Evidence, LocalFile } from "../verify/verifier.ts";
import { type ActivateParts, activate } from "./activate.ts";
import { afterwards } from "./afterwards.ts";
import { confirmRoomToFetch, confirmRoomToUnpack } from "./disk-room.ts";
import { occupiedBytes } from "./disk-usage.ts";
import { type FetchedArtifact, fetchArtifact } from "./fetch.ts";
import type { HookFacts, RunHook } from "./hook.ts";
import { type PhaseParts, type PhaseTrack, trackPhases } from "./phases.ts";
import { makeRoom, type PruneParts, prune } from "./prune.ts";
import { removeTree } from "./removal.ts";
import type { SharedArtifacts } from "./shared-artifacts.ts";
import { archiveLimits, unpack } from "./unpack.ts";

export interface DeployParts extends PhaseParts, PruneParts, ActivateParts {
  registry: ReleaseRegistry;
  /** What has to vouch for a release. */
  admission: Admission;
  /** What other hosts have fetched already, where there is such a cache. */
  shared: SharedArtifacts | undefined;
  /** Those that were asked for: before anything changes, after the commit, after an undoing. */
  hooks: Partial<Record<HookName, RunHook>>;
  /** Takes part in the move of the app's group, where it has one. */
  join?: ((tag: string, call: Call) => Promise<Participant>) | undefined;
  /** See `RunningMode`. */
  prepare?: Prepare | undefined;
  pruneOutside?: (() => Promise<void>) | undefined;
  /** Runs `work` when nobody else is exchanging what is in service. */
  alone<Result>(work: () => Promise<Result>): Promise<Result>;
  clock: Clock;
  logger: Logger;
}

/**
 * Makes a complete directory under `releases/`, which nothing points to yet. `fetch` brings the
 * artifact, whole and vouched for: before that nothing may be made of a release.
 */
export type Prepare = (
  choice: Choice,
  parts: { phases: PhaseTrack; fetch: (call: Call) => Promise<VouchedArtifact> },
  call: Call,
) => Promise<DeployedRelease>;

export interface VouchedArtifact extends FetchedArtifact {
  /** What vouches for it; `undefined` where nothing does, and nothing has to. */
  evidence: Evidence | undefined;
}

/**
 * Takes the chosen release into service: fetch, verify, unpack, switch, start, commit, prune.
 *
 * Whatever fails before the commit, the before-hook included, is undone here: `current` and the
 * running process are then what they were. What is committed stands, and is finished even when the
 * call ends. What a kill interrupts is undone by `recover` at the next start, from the ledger.
 */
export async function deploy(
  choice: Choice,
  parts: DeployParts,
  call: Call,
): Promise<DeployedRelease> {
  const participant = await parts.join?.(choice.tag, call);
  try {
    return await deployWith(participant, choice, parts, call);
  } catch (error) {
    await participant?.fail(error);
    throw error;
  } finally {
    participant?.leave();
  }
}

async function deployWith(
  participant: Participant | undefined,
  choice: Choice,
  parts: DeployParts,
  call: Call,
): Promise<DeployedRelease> {
  const phases = trackPhases(choice.tag, parts);
  try {
    const refusal = parts.admission.refusal(choice);
    if (refusal) {
      await phases.enter("verify");
      throw refusal;
    }
    const { active, attempt } = parts.ledger.state;
    confirmHarmless(attempt);
    const [previousTag, by] = [active?.tag, attempt?.by];
    const before = await onDisk(choice, parts);
    const release = before ?? (await prepareWith(choice, phases, parts, call));
    const facts = { tag: release.tag, previousTag, releaseDirectory: release.directory, by };
    try {
      await participant?.prepared(call);
      await participant?.turn(call);
      await takeIntoService(release, facts, phases, { ...parts, agreement: participant }, call);
    } catch (error) {
      if (!before) await discard(release.directory, parts);
      throw error;
    }
    participant?.leave();
    phases.end();
    await afterwards("after-deploy", facts, parts, call);
    await phases.enter("prune");
    await prune(parts);
    await parts.pruneOutside?.();
    return release;
  } finally {
    phases.end();
  }
}

/** The same bytes, deployed earlier, verified as the policy demands, and still there: nothing has to be fetched or unpacked. */
async function onDisk(
  { tag, artifact }: Choice,
  { ledger, releases, admission, clock, logger }: DeployParts,
): Promise<DeployedRelease | undefined> {
  const { active, releases: known } = ledger.state;
  for (const release of known) {
    if (release.tag !== tag || release.identity !== artifact.identity) continue;
    if (release.directory === active?.directory) continue;
    if (!admission.covers(release.evidence)) continue;
    if (!(await releases.isComplete(release.directory))) continue;
    logger.info("Release is still there", { tag, path: release.directory });
    return { ...release, since: clock.now().toISOString() };
  }
  return undefined;
}

function prepareWith(
  choice: Choice,
  phases: PhaseTrack,
  parts: DeployParts,
  call: Call,
): Promise<DeployedRelease> {
  const fetch = (each: Call) => fetchVouched(choice, phases, parts, each);
  return parts.prepare
    ? parts.prepare(choice, { phases, fetch }, call)
    : unpackArtifact(choice, phases, parts, call);
}

async function fetchVouched(
  choice: Choice,
  phases: PhaseTrack,
  parts: DeployParts,
  call: Call,
): Promise<VouchedArtifact> {
  const { artifact } = choice;
  const { registry, store, shared, clock, logger, admission } = parts;
  let evidence: Evidence | undefined;
  const verify = async (file: LocalFile, each: Call) => {
    await phases.enter("verify");
    evidence = await admission.vouch(choice, file, each);
  };
  await phases.enter("fetch");
  await makeRoom(artifact, parts);
  // What an engine pulls is in its own place.
  if (!parts.prepare) await confirmRoomToFetch(artifact, parts);
  const fetching = { registry, artifact, store, shared, clock, logger, verify };
  return { ...(await fetchArtifact(fetching, call)), evidence };
}

/** A complete directory under `releases/`, which nothing points to yet. */
async function unpackArtifact(
  choice: Choice,
  phases: PhaseTrack,
  parts: DeployParts,
  call: Call,
): Promise<DeployedRelease> {
  const { tag, artifact } = choice;
  const { releases, clock, logger, observe } = parts;
  const { evidence, ...fetched } = await fetchVouched(choice, phases, parts, call);
  const cache_key = `${tag}--${artifact.name}`;
  logger.info("Cached artifact", { tag, cache_key, digest: fetched.digest });
  logger.info("Download notification", { tag });
  const { sizeBytes, from } = fetched;
  observe({ type: "fetched", tag, artifact: artifact.name, sizeBytes, from });

  await confirmRoomToUnpack(artifact, fetched, parts);
  const directory = await releases.reserve();
  await phases.enter("unpack", directory);
  await unpack(fetched.path, artifact.name, directory, archiveLimits, call);
  logger.info("Extract archive", { tag, path: directory });

  const { identity, name } = artifact;
  const since = clock.now().toISOString();
  const sizes = { artifactBytes: sizeBytes, unpackedBytes: await occupiedBytes(directory) };
  const known = { tag, identity, digest: fetched.digest, artifact: name, directory, since };
  return { ...known, ...sizes, ...(evidence && { evidence }) };
}

async function takeIntoService(
  release: DeployedRelease,
  facts: HookFacts,
  phases: PhaseTrack,
  parts: DeployParts,
  call: Call,
): Promise<void> {
  let isChanged = false;
  try {
    await parts.hooks["before-deploy"]?.(facts, call);
    await parts.alone(() => {
      isChanged = true;
      return activate(release, phases, parts, call);
    });
  } catch (error) {
    if (isChanged) await rolledBack(facts, parts, call);
    throw error;
  }
}

async function rolledBack(facts: HookFacts, parts: DeployParts, call: Call): Promise<void> {
  const { tag, previousTag } = facts;
  parts.logger.warn("Deployment rolled back", { tag, to: previousTag });
  await afterwards("rollback", facts, parts, call);
}

/** Removes a release that failed, unless `current` still names it. */
async function discard(directory: string, { releases, logger }: DeployParts): Promise<void> {
  try {
    const current = await releases.current();
    if (current?.directory !== directory) await removeTree(directory);
  } catch (error) {
    logger.warn("a release that failed could not be removed", { directory, error });
  }
}
