import { createHash } from "node:crypto";
import type { Call } from "../../base/call.ts";
import { systemCodeOf } from "../../base/errors.ts";
import { algorithmOf, type Digest, endDigest, hexOf, isDigest } from "../../oci/digest.ts";
import { catalogOn } from "../images/catalog.ts";
import { blobDataPath, blobsPath, layerLinkPath, revisionLinkPath } from "../images/paths.ts";
import { type StorageDriver, StorageError, type StoragePath } from "../storage-driver.ts";

export interface ScrubOptions {
  /** Moves rotten blobs to `/dewy/rotten`, so that the next push brings good ones. */
  setAside: boolean;
  report(event: ScrubEvent): void;
}

/** A blob that has other bytes than its name says. */
export interface RottenBlob {
  digest: Digest;
  /** What its bytes hash to; `undefined` where the medium cannot be read. */
  actual: Digest | undefined;
  isAside: boolean;
}

/** What a scrub tells whoever watches it, while it goes on. */
export type ScrubEvent =
  | { is: "read"; bytes: number }
  | ({ is: "rotten" } & RottenBlob)
  /** Its images want to be pushed again. */
  | { is: "missed"; digest: Digest; repository: string }
  /** How much of all was read, from 0 to 1. */
  | { is: "part"; part: number };

export interface ScrubTotals {
  blobs: number;
  bytes: number;
  rotten: number;
}

export const nothingRead: ScrubTotals = { blobs: 0, bytes: 0, rotten: 0 };

/** Adds `event` to `totals`. */
export function countScrubbed(event: ScrubEvent, totals: ScrubTotals): void {
  if (event.is === "rotten") totals.rotten++;
  if (event.is !== "read") return;
  totals.blobs++;
  totals.bytes += event.bytes;
}

/** Of more rotten blobs than these it is not asked whose they are. */
const mostLookedUp = 100;

/** That there were no files, memory or rights left to read says nothing about the blob. */
const notOfMedium = ["EMFILE", "ENFILE", "ENOMEM", "EACCES", "EPERM"];

/**
 * Reads every blob and compares it with its name. Changes nothing unless told to.
 *
 * @throws {StorageError} when it cannot go on, which says nothing about any blob
 */
export async function scrub(
  storage: StorageDriver,
  { setAside, report }: ScrubOptions,
  call: Call,
): Promise<ScrubTotals> {
  const totals = { ...nothingRead };
  const tell = (event: ScrubEvent) => {
    countScrubbed(event, totals);
    report(event);
  };
  const rotten: Digest[] = [];
  const shelves = await shelvesOf(storage, call);
  for (const [at, shelf] of shelves.entries()) {
    for await (const digest of blobsOn(storage, shelf, call)) {
      call.signal.throwIfAborted();
      const read = await digestOfFile(storage, blobDataPath(digest), digest, call);
      if (read === "gone") continue;
      tell({ is: "read", bytes: read.bytes });
      if (read.actual === digest) continue;
      if (rotten.length < mostLookedUp) rotten.push(digest);
      const isAside = setAside && (await putAside(storage, digest, call));
      tell({ is: "rotten", digest, actual: read.actual, isAside });
    }
    tell({ is: "part", part: (at + 1) / shelves.length });
  }
  if (rotten.length > 0) await tellWhose(rotten, { storage, tell }, call);
  return totals;
}

async function tellWhose(
  rotten: readonly Digest[],
  { storage, tell }: { storage: StorageDriver; tell(event: ScrubEvent): void },
  call: Call,
): Promise<void> {
  for await (const repository of catalogOn(storage).walk(undefined, call)) {
    for (const digest of rotten) {
      call.signal.throwIfAborted();
      const links = [layerLinkPath(repository, digest), revisionLinkPath(repository, digest)];
      const found = await Promise.all(links.map((link) => storage.stat(link, call)));
      if (found.some((file) => file !== undefined)) tell({ is: "missed", digest, repository });
    }
  }
}

/** Somebody may have pushed good bytes while the rotten ones were read: those go back. */
async function putAside(storage: StorageDriver, digest: Digest, call: Call): Promise<boolean> {
  const place: StoragePath = `/dewy/rotten/${algorithmOf(digest)}/${hexOf(digest)}`;
  if (!(await storage.setAside(blobDataPath(digest), place, call))) return false;
  const read = await digestOfFile(storage, place, digest, call);
  if (read === "gone" || read.actual !== digest) return true;
  await storage.setAside(place, blobDataPath(digest), call);
  return false;
}

interface Shelf {
  algorithm: "sha256" | "sha512";
  prefix: string;
}

async function shelvesOf(storage: StorageDriver, call: Call): Promise<Shelf[]> {
  const shelves: Shelf[] = [];
  for (const algorithm of ["sha256", "sha512"] as const) {
    for await (const prefix of storage.list(blobsPath(algorithm), call)) {
      if (/^[0-9a-f]{2}$/.test(prefix)) shelves.push({ algorithm, prefix });
    }
  }
  return shelves;
}

async function* blobsOn(
  storage: StorageDriver,
  { algorithm, prefix }: Shelf,
  call: Call,
): AsyncGenerator<Digest> {
  for await (const hex of storage.list(blobsPath(algorithm, prefix), call)) {
    const digest = `${algorithm}:${hex}`;
    if (isDigest(digest)) yield digest;
  }
}

/** `actual` is `undefined` where the medium cannot be read. */
async function digestOfFile(
  storage: StorageDriver,
  path: StoragePath,
  digest: Digest,
  call: Call,
): Promise<"gone" | { actual: Digest | undefined; bytes: number }> {
  const hash = createHash(algorithmOf(digest));
  let bytes = 0;
  try {
    for await (const chunk of await storage.read(path, call)) {
      call.signal.throwIfAborted();
      hash.update(chunk);
      bytes += chunk.length;
    }
    return { actual: endDigest(algorithmOf(digest), hash), bytes };
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    if (error.code === "NOT_FOUND") return "gone";
    if (notOfMedium.includes(systemCodeOf(error.cause) ?? "")) throw error;
    return { actual: undefined, bytes };
  }
}
