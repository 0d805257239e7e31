import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Choice } from "../choose/choose.ts";
import { advanceAttempt, commitRelease, keepReleases } from "../ledger/attempt.ts";
import type { DeployedRelease, Ledger, Phase } from "../ledger/ledger.ts";
import type { ReleaseRegistry } from "../release.ts";
import type { Replacement } from "../supervisor/candidate.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import type { ArtifactStore } from "./artifact-store.ts";
import { fetchArtifact } from "./fetch.ts";
import type { HookFacts, RunHook } from "./hook.ts";
import type { Releases } from "./releases.ts";
import { removeTree } from "./removal.ts";
import { archiveLimits, unpack } from "./unpack.ts";

const releasesKept = 7;

export interface DeployParts {
  registry: ReleaseRegistry;
  ledger: Ledger;
  releases: Releases;
  supervisor: Pick<Supervisor, "start">;
  store: ArtifactStore;
  /** Before anything changes for the running app, and after the new release was committed. */
  hooks: { before?: RunHook; after?: RunHook };
  clock: Clock;
  logger: Logger;
  /** Told of each phase once the ledger has recorded it, and before its work begins. */
  entered?: (phase: Phase) => void;
}

/**
 * Takes the chosen release into service: fetch, unpack, switch, start, commit, prune.
 *
 * Whatever fails before the commit, the before-hook included, is undone here: `current` and the running process are then what
 * they were. What a kill interrupts is undone by `recover` at the next start, from the ledger.
 */
export async function deploy(choice: Choice, parts: DeployParts, call: Call): Promise<void> {
  const release = await prepare(choice, parts, call);
  const facts = {
    tag: release.tag,
    previousTag: parts.ledger.state.active?.tag,
    releaseDirectory: release.directory,
  };
  try {
    await parts.hooks.before?.(facts, call);
    await takeIntoService(release, parts, call);
  } catch (error) {
    await discard(release.directory, parts);
    throw error;
  }
  await afterwards(facts, parts, call);
  await enter("prune", parts);
  await prune(parts);
}

/** The deployment stands, whatever its after-hook says. */
async function afterwards(facts: HookFacts, parts: DeployParts, call: Call): Promise<void> {
  try {
    await parts.hooks.after?.(facts, call);
  } catch (error) {
    if (isEchoOf(call.signal, error)) throw error;
    parts.logger.error("the deployment stands, and its after-hook failed", { error });
  }
}

/** A complete directory under `releases/`, which nothing points to yet. */
async function prepare(choice: Choice, parts: DeployParts, call: Call): Promise<DeployedRelease> {
  const { registry, releases, store, clock, logger } = parts;
  const { tag, artifact } = choice;

  await enter("fetch", parts);
  await makeRoom(choice, parts);
  const fetched = await fetchArtifact({ registry, artifact, store, clock, logger }, call);
  logger.info("Cached artifact", { tag, artifact: artifact.name, digest: fetched.digest });

  const directory = await releases.reserve();
  await enter("unpack", parts, directory);
  await unpack(fetched.path, artifact.name, directory, archiveLimits, call);
  logger.info("Extract archive", { tag, path: directory });

  const { identity, name } = artifact;
  const since = clock.now().toISOString();
  return { tag, identity, digest: fetched.digest, artifact: name, directory, since };
}

async function takeIntoService(
  release: DeployedRelease,
  parts: DeployParts,
  call: Call,
): Promise<void> {
  const { releases, supervisor, ledger, logger } = parts;
  const { tag, directory } = release;
  const before = await proven(parts);
  let replacement: Replacement | undefined;
  try {
    await enter("switch", parts);
    await releases.switchTo(directory);
    logger.info("Create symlink", { from: directory, to: "current" });

    await enter("start", parts);
    replacement = await supervisor.start(call);

    await enter("commit", parts);
    await commit(release, replacement, ledger);
    const { pid, generation } = replacement;
    logger.info("Server started", { tag, pid, generation });
  } catch (error) {
    // In this order: what is started again after the undoing is what `current` leads to.
    await putBack(before, parts);
    await replacement?.undo();
    throw error;
  }
}

/** The directory that `current` is to name when this deployment fails. */
async function proven({ releases, ledger }: DeployParts): Promise<string | undefined> {
  const { active } = ledger.state;
  if (active && (await releases.isComplete(active.directory))) return active.directory;
  const current = await releases.current();
  return current?.complete ? current.directory : undefined;
}

/** A disk that is full may refuse even this: then the release stays until `current` lets go of it. */
async function putBack(
  directory: string | undefined,
  { releases, logger }: DeployParts,
): Promise<void> {
  try {
    if (directory === undefined) await releases.unlinkCurrent();
    else await releases.switchTo(directory);
  } catch (error) {
    logger.error("current could not be put back", { directory, error });
  }
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

/** The ledger first: what is in service without being named there would be undone after a kill. */
async function commit(
  release: DeployedRelease,
  replacement: Replacement,
  ledger: Ledger,
): Promise<void> {
  const before = ledger.state;
  await ledger.update((state) => commitRelease(state, release));
  try {
    replacement.commit();
  } catch (error) {
    await ledger.update(() => before);
    throw error;
  }
}

async function enter(
  phase: Phase,
  { ledger, logger, entered }: DeployParts,
  directory?: string,
): Promise<void> {
  if (ledger.state.attempt) {
    await ledger.update((state) => advanceAttempt(state, phase, directory));
  }
  logger.debug("deployment enters a phase", { phase });
  entered?.(phase);
}

/** The artifacts of releases that failed: a row of them would fill the disk before one succeeds. */
async function makeRoom(
  { artifact }: Choice,
  { ledger, store, logger }: DeployParts,
): Promise<void> {
  try {
    const wanted = artifact.digest ?? (await store.knownDigest(artifact));
    const kept = ledger.state.releases.map(({ digest }) => digest);
    await store.prune(wanted ? [wanted, ...kept] : kept);
  } catch (error) {
    logger.warn("old artifacts could not be removed", { error });
  }
}

/** What is left over costs disk and nothing else: a failure is logged, and the next one tries again. */
async function prune({ ledger, releases, store, logger }: DeployParts): Promise<void> {
  const { active, lastGood } = ledger.state;
  const protect = [active, lastGood].flatMap((release) => (release ? [release.directory] : []));
  try {
    const removed = await releases.prune({ keep: releasesKept, protect });
    const left = await releases.list();
    await ledger.update((state) => keepReleases(state, left));
    await store.prune(ledger.state.releases.map(({ digest }) => digest));
    logger.info("Keep releases", { count: releasesKept, removed: removed.length });
  } catch (error) {
    logger.warn("old releases could not be removed", { error });
  }
}
