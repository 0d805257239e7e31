import type { Call } from "../../base/call.ts";
import { type DigestAlgorithm, isDigest } from "../../oci/digest.ts";
import { blobDataPath, blobsPath } from "../images/paths.ts";
import type { GarbageEvent } from "./garbage-event.ts";
import type { Marks } from "./marks.ts";
import { inParallel } from "./parallel.ts";
import { type RemovalParts, remove } from "./removal.ts";
import { tellFate } from "./repository-survey.ts";

export interface SweepParts extends RemovalParts {
  marks: Marks;
  parallel: number;
  tell(event: GarbageEvent): void;
  /** How many bytes a blob had that was taken. */
  freed(bytes: number): void;
}

/** A 256th of the blobs of one algorithm: those below one directory. */
export interface BlobShelf {
  algorithm: DigestAlgorithm;
  /** The first two digits of their hex. */
  prefix: string;
}

/** Takes the blobs away that are not marked, and brings back those in the trash that are. */
export async function sweepShelf(
  { algorithm, prefix }: BlobShelf,
  parts: SweepParts,
  call: Call,
): Promise<void> {
  const { storage, trash, run, parallel, tell } = parts;
  const marked = await parts.marks.read(prefix, call);
  const path = blobsPath(algorithm, prefix);
  await inParallel(storage.list(path, call), { limit: parallel, ...call }, async (hex) => {
    const digest = `${algorithm}:${hex}`;
    if (!isDigest(digest) || marked.has(digest)) return;
    const file = { path: blobDataPath(digest), cutoffMs: run.cutoffMs };
    const fate = await remove(file, parts, call);
    if (fate.is === "taken") parts.freed(fate.size);
    const reason = "no manifest names it";
    tellFate({ kind: "blob", repository: undefined, digest, reason }, fate, parts);
  });
  if (parts.dryRun) return;
  for (const earlier of await trash.runs(call)) {
    for await (const hex of trash.names(path, earlier, call)) {
      const digest = `${algorithm}:${hex}`;
      if (!isDigest(digest) || !marked.has(digest)) continue;
      const place = blobDataPath(digest);
      if ((await storage.stat(place, call)) !== undefined) continue;
      if (await trash.restore(place, call)) tell({ is: "restored", path: place });
    }
  }
}
