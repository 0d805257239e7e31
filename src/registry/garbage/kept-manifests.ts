import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import { isTag } from "../../oci/reference.ts";
import { readLink } from "../images/link.ts";
import {
  revisionLinkPath,
  revisionsPath,
  tagIndexPath,
  tagLinkPath,
  tagsPath,
} from "../images/paths.ts";
import { storedDigests } from "../images/stored-digests.ts";
import type { Trash } from "../images/trash.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { DigestSet } from "./digest-set.ts";
import type { GarbageEvent } from "./garbage-event.ts";
import { type Named, readNamed } from "./named.ts";
import { inParallel } from "./parallel.ts";

export interface SurveyParts {
  storage: StorageDriver;
  trash: Trash;
  cutoffMs: number;
  /** How many files are worked on at once. */
  parallel: number;
  tell(event: GarbageEvent): void;
}

/**
 * The manifests of a repository that stay when untagged ones go: those that have a tag, those used
 * lately, both ends of every reference to a subject, and the parts of each index among them. All,
 * where one of these is damaged: it may have been an index.
 */
export async function keptManifests(
  repository: string,
  parts: SurveyParts,
  call: Call,
): Promise<DigestSet> {
  const { storage, cutoffMs, parallel } = parts;
  const kept = await taggedManifests(repository, parts, call);
  const damaged: Digest[] = [];
  let indexes: Digest[] = [];
  const revisions = storedDigests(storage, revisionsPath(repository), call);
  await inParallel(revisions, { limit: parallel, ...call }, async (digest) => {
    const link = revisionLinkPath(repository, digest);
    const file = await storage.stat(link, call);
    if (file === undefined) return;
    const named = await readNamed(repository, digest, parts, call);
    if (file.modified.getTime() >= cutoffMs) kept.add(digest);
    if (named.problem !== undefined) damaged.push(digest);
    if (named.children.length > 0) indexes.push(digest);
    await keepSubject(digest, named);
  });
  for (let isGrowing = true; isGrowing; ) {
    const next = indexes.filter((digest) => kept.has(digest));
    indexes = indexes.filter((digest) => !kept.has(digest));
    for (const digest of next) await keepParts(digest);
    isGrowing = next.length > 0;
  }
  if (damaged.some((digest) => kept.has(digest))) await keepAll();
  return kept;

  async function keepAll(): Promise<void> {
    const all = storedDigests(storage, revisionsPath(repository), call);
    for await (const digest of all) kept.add(digest);
  }

  async function keepSubject(digest: Digest, { subject }: Named): Promise<void> {
    if (subject === undefined) return;
    const isThere = await storage.stat(revisionLinkPath(repository, subject), call);
    if (isThere === undefined) return;
    kept.add(digest);
    kept.add(subject);
  }

  async function keepParts(index: Digest): Promise<void> {
    const { children } = await readNamed(repository, index, parts, call);
    for (const child of children) kept.add(child);
  }
}

async function taggedManifests(
  repository: string,
  { storage, parallel, tell }: SurveyParts,
  call: Call,
): Promise<DigestSet> {
  const tagged = new DigestSet();
  await inParallel(
    storage.list(tagsPath(repository), call),
    { limit: parallel, ...call },
    async (tag) => {
      if (!isTag(tag)) return;
      const path = tagLinkPath(repository, tag);
      const read = () => readLink(storage, path, call);
      let digest = await read();
      const isThere = digest !== undefined || (await storage.stat(path, call)) !== undefined;
      if (isThere) digest ??= await read(); // it may have been pushed just now
      if (digest) tagged.add(digest);
      else if (isThere) await keepPast(tag);
    },
  );
  return tagged;

  /** Of a tag whose link is damaged: it is one of those that it has meant. */
  async function keepPast(tag: string): Promise<void> {
    tell({ is: "damaged tag", repository, tag });
    const past = storedDigests(storage, tagIndexPath(repository, tag), call);
    for await (const digest of past) tagged.add(digest);
  }
}
