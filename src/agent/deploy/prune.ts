import { keepReleases } from "../ledger/attempt.ts";
import type { Artifact } from "../release.ts";
import { type DiskParts, digestsToKeep, protectedDirectories, pruneToBudget } from "./disk-room.ts";

const releasesKept = 7;

export type PruneParts = DiskParts;

/** The artifacts of releases that failed: a row of them would fill the disk before one succeeds. */
export async function makeRoom(
  artifact: Artifact,
  { ledger, store, logger }: PruneParts,
): Promise<void> {
  try {
    await store.prune(await digestsToKeep(artifact, ledger.state, store));
  } catch (error) {
    logger.warn("old artifacts could not be removed", { error });
  }
}

/** What is left over costs disk and nothing else: a failure is logged, and the next one tries again. */
export async function prune(parts: PruneParts): Promise<void> {
  const { ledger, releases, store, logger } = parts;
  const protect = protectedDirectories(ledger.state);
  try {
    const removed = await releases.prune({ keep: releasesKept, protect });
    const left = await releases.list();
    await ledger.update((state) => keepReleases(state, left));
    await store.prune(ledger.state.releases.map(({ digest }) => digest));
    await pruneToBudget(parts);
    logger.info("Keep releases", { count: releasesKept, removed: removed.length });
  } catch (error) {
    logger.warn("old releases could not be removed", { error });
  }
}
