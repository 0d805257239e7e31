import { fsync, fsyncSync } from "node:fs";
import { promisify } from "node:util";

const inPool = promisify(fsync);
const quickMs = 2;
const waitsAfterSlowOne = 100;

/** How many of this thread wait for the medium, or are about to. */
let underWay = 0;
/** How many waits are left to Node's pool, since one has taken long. */
let waitsInPool = 0;

/** Tells this thread of work that will wait for the medium, as long as that lasts. */
export async function amongOthers<Result>(work: () => Promise<Result>): Promise<Result> {
  underWay++;
  try {
    return await work();
  } finally {
    underWay--;
  }
}

/**
 * Ends when none is being synced any more, so that all may be closed. Small ones of who is alone on
 * this thread are waited for on it, as long as the medium is quick: the way to Node's pool and back
 * takes longer than that.
 *
 * @throws the system's error, with `at`, the place of the file
 */
export async function allSynced(
  opened: readonly number[],
  { areSmall }: { areSmall: boolean },
): Promise<void> {
  const isHere = areSmall && underWay === 1 && waitsInPool === 0;
  if (waitsInPool > 0) waitsInPool--;
  const ends = await Promise.allSettled(opened.map(isHere ? syncedHere : (fd) => inPool(fd)));
  for (const [at, end] of ends.entries()) {
    if (end.status === "rejected") throw Object.assign(end.reason, { at });
  }
}

async function syncedHere(fd: number): Promise<void> {
  const begunAt = performance.now();
  try {
    fsyncSync(fd);
  } finally {
    if (performance.now() - begunAt > quickMs) waitsInPool = waitsAfterSlowOne;
  }
}
