import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import { isTag } from "../../oci/reference.ts";
import {
  blobDataPath,
  layerLinkPath,
  layersPath,
  revisionLinkPath,
  revisionsPath,
  tagIndexLinkPath,
  tagIndexPath,
  tagsPath,
} from "../images/paths.ts";
import { storedDigests } from "../images/stored-digests.ts";
import { DigestSet } from "./digest-set.ts";
import type { GarbageEvent, GarbageItem } from "./garbage-event.ts";
import { keptManifests, type SurveyParts } from "./kept-manifests.ts";
import type { Marks } from "./marks.ts";
import { dataOf, type Named, readNamed } from "./named.ts";
import { inParallel } from "./parallel.ts";
import { type Fate, type RemovalParts, remove, type Unnamed } from "./removal.ts";
import { type RestoringParts, restoreTagged } from "./restore-tagged.ts";
import { cutoffWhilePushing } from "./upload-times.ts";
import { isWrong } from "./wrong-times.ts";

export interface RepositoryParts extends SurveyParts, RemovalParts, RestoringParts {
  marks: Marks;
  graceMs: number;
  deleteUntagged: boolean;
  tell(event: GarbageEvent): void;
}

const noManifest = "no manifest of the repository names it";

/** Marks what the manifests of a repository name, and takes away the links nothing names. */
export async function surveyRepository(
  repository: string,
  parts: RepositoryParts,
  call: Call,
): Promise<void> {
  const { storage, marks, tell, parallel } = parts;
  tell({ is: "repository", repository });
  const kept = parts.deleteUntagged ? await keptManifests(repository, parts, call) : undefined;
  const named = new DigestSet();
  let isChanged = false;
  /** Something is damaged, and nobody knows what it named. */
  let isUnsure = false;
  const revisions = storedDigests(storage, revisionsPath(repository), call);
  await inParallel(revisions, { limit: parallel, ...call }, async (digest) => {
    if (kept !== undefined && !kept.has(digest)) {
      const path = revisionLinkPath(repository, digest);
      if (await isRemoved("manifest", digest, { path, cutoffMs: parts.cutoffMs })) return;
    }
    const path = revisionLinkPath(repository, digest);
    const link = await storage.stat(path, call);
    if (link === undefined) {
      isChanged = true; // deleted since
      return;
    }
    const isAhead = isWrong(link.modified.getTime(), parts.run.begunMs);
    if (isAhead && !parts.dryRun) await storage.touch([path], call);
    const found = await readNamed(repository, digest, parts, call);
    await markManifest(digest, link.size > 0 ? found : { problem: "its link is empty", ...found });
  });
  if (kept !== undefined) await restoreTagged(repository, parts, call);
  await surveyLayers();
  if (isChanged && !parts.dryRun) await tidyTagHistories(repository, parts, call);

  async function markManifest(digest: Digest, { data, blobs, children, problem }: Named) {
    tell({ is: "marked", repository, digest });
    if (problem !== undefined) {
      isUnsure = true;
      tell({ is: "problem", repository, digest, reason: problem });
    }
    await marks.add(data, call);
    for (const each of [...blobs, ...children]) {
      if (!named.add(each)) continue;
      await marks.add(each, call);
      const data = await dataOf(storage, each, layerLinkPath(repository, each), call);
      if (data !== each) await marks.add(data, call);
    }
  }

  async function surveyLayers(): Promise<void> {
    const cutoffMs = await cutoffWhilePushing(storage, repository, parts, call);
    const links = storedDigests(storage, layersPath(repository), call);
    await inParallel(links, { limit: parallel, ...call }, async (digest) => {
      if (named.has(digest)) return;
      const path = layerLinkPath(repository, digest);
      const data = await dataOf(storage, digest, path, call);
      const alsoUsedBy = blobDataPath(data);
      const file = { path, alsoUsedBy, cutoffMs };
      if (!isUnsure && (await isRemoved("layer link", digest, file))) return;
      await marks.add(data, call);
    });
  }

  async function isRemoved(
    kind: GarbageItem["kind"],
    digest: Digest,
    file: Unnamed,
  ): Promise<boolean> {
    const fate = await remove(file, parts, call);
    const why = kind === "manifest" ? "it has no tag, subject or referrer" : noManifest;
    tellFate({ kind, repository, digest, reason: why }, fate, parts);
    if (fate.is === "taken") isChanged = true;
    return fate.is !== "kept";
  }
}

export function tellFate(
  item: GarbageItem,
  fate: Fate,
  { tell, run }: { tell(event: GarbageEvent): void; run: { begunMs: number } },
): void {
  if (fate.is === "taken") tell({ is: "eligible", item });
  if (fate.is !== "kept") return;
  const seconds = Math.max(0, Math.round((run.begunMs - fate.usedMs) / 1000));
  tell({
    is: "kept",
    item: { ...item, reason: `${item.reason}, but it was used ${seconds} s ago` },
  });
}

/** What a tag meant before is only worth knowing for as long as it can be had. */
async function tidyTagHistories(
  repository: string,
  { storage, parallel }: RepositoryParts,
  call: Call,
): Promise<void> {
  await inParallel(
    storage.list(tagsPath(repository), call),
    { limit: parallel, ...call },
    async (tag) => {
      if (!isTag(tag)) return;
      for await (const digest of storedDigests(storage, tagIndexPath(repository, tag), call)) {
        if (await storage.stat(revisionLinkPath(repository, digest), call)) continue;
        const link = tagIndexLinkPath(repository, tag, digest);
        await storage.discard(link.slice(0, -"/link".length) as typeof link, call);
      }
    },
  );
}
