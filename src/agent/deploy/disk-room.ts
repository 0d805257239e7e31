import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { DewyError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { keepReleases } from "../ledger/attempt.ts";
import type { Ledger, LedgerState } from "../ledger/ledger.ts";
import type { Artifact } from "../release.ts";
import type { ArtifactStore } from "./artifact-store.ts";
import { occupiedBytes, volumeOf } from "./disk-usage.ts";
import { expansionOf } from "./expansion.ts";
import type { Releases } from "./releases.ts";

export interface DiskRules {
  /** What stays free; without it `reserveOf`. */
  reserveBytes?: number | undefined;
  /** The most that the releases and artifacts of the app may take in all. */
  budgetBytes?: number | undefined;
}

export interface DiskParts {
  ledger: Ledger;
  releases: Releases;
  store: ArtifactStore;
  logger: Logger;
  disk?: DiskRules | undefined;
}

/** `NO_ROOM`: the disk has too little left. `OVER_BUDGET`: the app would take more than it may. */
export class DiskError extends DewyError<"NO_ROOM" | "OVER_BUDGET"> {}

const mib = 1024 ** 2;

/** What stays free on a file system of `totalBytes`, where nobody says otherwise. */
export function reserveOf(totalBytes: number): number {
  return Math.min(256 * mib, totalBytes / 20);
}

/** What is still to be written: into the store, and below `releases/`. */
interface Need {
  what: string;
  downloadBytes: number;
  unpackedBytes: number;
  /** Whose artifacts stay, whatever is removed. */
  artifact: Artifact;
}

/**
 * Confirms that `artifact` can be fetched and unpacked, and removes old releases where that helps;
 * never the active, the last good or the pinned one.
 *
 * @throws {DiskError}
 */
export async function confirmRoomToFetch(artifact: Artifact, parts: DiskParts): Promise<void> {
  const { ledger, store } = parts;
  const known = ledger.state.releases.find(({ artifactBytes }) => artifactBytes !== undefined);
  const sizeBytes = artifact.sizeBytes ?? known?.artifactBytes ?? 0;
  const digest = artifact.digest ?? (await store.knownDigest(artifact));
  const [stored, partial] = [digest && store.pathOf(digest), store.partialPath(artifact)];
  const thereBytes = (stored && (await sizeOf(stored))) || (await sizeOf(partial));
  const unpackedBytes = await expansionOf({ name: artifact.name, sizeBytes }, ledger.state);
  const downloadBytes = Math.max(0, sizeBytes - thereBytes);
  await confirm({ what: artifact.name, downloadBytes, unpackedBytes, artifact }, parts);
}

/** The same once it has been fetched to `path`: now its size is known, and what the archive tells. */
export async function confirmRoomToUnpack(
  artifact: Artifact,
  { path, sizeBytes }: { path: string; sizeBytes: number },
  parts: DiskParts,
): Promise<void> {
  const fetched = { name: artifact.name, sizeBytes, path };
  const unpackedBytes = await expansionOf(fetched, parts.ledger.state);
  await confirm({ what: artifact.name, downloadBytes: 0, unpackedBytes, artifact }, parts);
}

/** Removes the oldest releases until the app is within its budget, as far as that goes. */
export async function pruneToBudget(parts: DiskParts): Promise<void> {
  const budget = parts.disk?.budgetBytes;
  if (budget === undefined) return;
  await removeUntil(async () => (await takenBytes(parts)) <= budget, undefined, parts);
}

async function confirm(need: Need, parts: DiskParts): Promise<void> {
  let shortage = await shortageOf(need, parts);
  if (!shortage) return;
  const suffices = async () => {
    shortage = await shortageOf(need, parts);
    return shortage === undefined;
  };
  await removeUntil(suffices, need.artifact, parts);
  if (shortage) throw shortage;
}

async function shortageOf(need: Need, parts: DiskParts): Promise<DiskError | undefined> {
  const { downloadBytes, unpackedBytes } = need;
  const { budgetBytes } = parts.disk ?? {};
  if (budgetBytes !== undefined) {
    const taken = await takenBytes(parts);
    if (taken + downloadBytes + unpackedBytes > budgetBytes) {
      return overBudget(need, taken, budgetBytes);
    }
  }
  const places = [
    { path: parts.store.directory, bytes: downloadBytes },
    { path: await placeOfReleases(parts), bytes: unpackedBytes },
  ];
  const devices = new Map<number, { path: string; bytes: number }>();
  for (const { path, bytes } of places) {
    const { dev } = await stat(path);
    devices.set(dev, { path, bytes: (devices.get(dev)?.bytes ?? 0) + bytes });
  }
  for (const place of devices.values()) {
    const shortage = await shortageAt(place, need, parts.disk ?? {});
    if (shortage) return shortage;
  }
  return undefined;
}

async function shortageAt(
  { path, bytes }: { path: string; bytes: number },
  { what, downloadBytes, unpackedBytes }: Need,
  { reserveBytes }: DiskRules,
): Promise<DiskError | undefined> {
  const volume = bytes > 0 ? await volumeOf(path) : undefined;
  if (!volume) return undefined;
  const reserve = reserveBytes ?? reserveOf(volume.totalBytes);
  const needed = bytes + reserve;
  if (volume.freeBytes >= needed) return undefined;
  const parts = [
    downloadBytes > 0 && `${inMib(downloadBytes)} to fetch`,
    unpackedBytes > 0 && `about ${inMib(unpackedBytes)} unpacked`,
    `${inMib(reserve)} to stay free`,
  ];
  const message = `${what} needs ${inMib(needed)} in ${path} (${parts.filter(Boolean).join(", ")}), and ${inMib(volume.freeBytes)} are free`;
  return new DiskError("NO_ROOM", message, {
    hint: "free some space there; nothing older is left that dewy could remove",
  });
}

function overBudget({ what, ...need }: Need, taken: number, budget: number): DiskError {
  const needed = inMib(need.downloadBytes + need.unpackedBytes);
  const message = `${what} needs ${needed}, and ${inMib(taken)} of the disk-budget of ${inMib(budget)} are taken`;
  return new DiskError("OVER_BUDGET", message, {
    hint: "raise --disk-budget: it has to hold three releases and what they are unpacked from",
  });
}

/** What cannot be removed is as good as not there: the shortage is told all the same. */
async function removeUntil(
  suffices: () => Promise<boolean>,
  wanted: Artifact | undefined,
  { ledger, releases, store, logger }: DiskParts,
): Promise<void> {
  try {
    for (let keep = (await releases.list()).length - 1; keep >= 0; keep--) {
      if (await suffices()) return;
      const protect = protectedDirectories(ledger.state);
      const removed = await releases.prune({ keep, protect });
      if (removed.length === 0) continue;
      const left = await releases.list();
      await ledger.update((state) => keepReleases(state, left));
      await store.prune(await digestsToKeep(wanted, ledger.state, store));
      logger.info("An old release is removed to make room", { removed });
    }
    await suffices();
  } catch (error) {
    logger.warn("old releases could not be removed", { error });
  }
}

/** The active release, the last good one and the one that is pinned. */
export function protectedDirectories({ active, lastGood, pinned, releases }: LedgerState) {
  const held = releases.find(({ tag }) => tag === pinned?.tag);
  return [active, lastGood, held].flatMap((release) => (release ? [release.directory] : []));
}

/** What is on its way first, and then what there is. */
export async function digestsToKeep(
  wanted: Artifact | undefined,
  { releases }: Readonly<LedgerState>,
  store: ArtifactStore,
) {
  const first = wanted && (wanted.digest ?? (await store.knownDigest(wanted)));
  const kept = releases.map(({ digest }) => digest);
  return first ? [first, ...kept] : kept;
}

async function takenBytes({ ledger, releases, store }: DiskParts): Promise<number> {
  const known = new Map(ledger.state.releases.map((each) => [each.directory, each.unpackedBytes]));
  let total = await occupiedBytes(store.directory);
  for (const directory of await releases.list()) {
    total += known.get(directory) ?? (await occupiedBytes(directory));
  }
  return total;
}

const placeOfReleases = async ({ releases }: DiskParts) => dirname(await releases.reserve());

async function sizeOf(path: string): Promise<number> {
  return await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/** `12.3 MiB` */
function inMib(bytes: number): string {
  return `${(bytes / mib).toFixed(1)} MiB`;
}
