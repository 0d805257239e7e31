import type { Logger } from "../../base/logger.ts";
import { keepReleases } from "../ledger/attempt.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Artifact } from "../release.ts";
import type { ArtifactStore } from "./artifact-store.ts";
import type { Releases } from "./releases.ts";

const releasesKept = 7;

export interface PruneParts {
  ledger: Ledger;
  releases: Releases;
  store: ArtifactStore;
  logger: Logger;
}

/** The artifacts of releases that failed: a row of them would fill the disk before one succeeds. */
export async function makeRoom(
  artifact: Artifact,
  { ledger, store, logger }: PruneParts,
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
export async function prune({ ledger, releases, store, logger }: PruneParts): Promise<void> {
  const { active, lastGood, pinned, releases: known } = ledger.state;
  const held = known.find(({ tag }) => tag === pinned?.tag);
  const protect = [active, lastGood, held].flatMap((release) =>
    release ? [release.directory] : [],
  );
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
