import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import { OciError } from "../../oci/error.ts";
import type { Manifest } from "../../oci/manifest.ts";
import { isFull, type StorageDriver } from "../storage-driver.ts";
import type { Leases } from "./leases.ts";
import { linkAt, linkIn, linksAt, readLink } from "./link.ts";
import { blobDataPath, revisionLinkPath, tagIndexLinkPath } from "./paths.ts";
import { type ReliedOn, reliedOn } from "./relied-on.ts";
import type { ActorCall } from "./tag-history.ts";
import type { TagMeanings, Tags, TagsWritten } from "./tags.ts";
import { UndoneMoves } from "./undone-moves.ts";

export interface Pushed {
  digest: Digest;
  manifest: Manifest;
  bytes: Uint8Array;
}

/** What is in its place. */
interface Begun {
  isNew: boolean;
  /** Of its data, and of what it relies on. */
  sizes: readonly (number | undefined)[];
  /** Its tags, unless they have to wait until it is known whether all is there. */
  tags: TagsWritten | undefined;
}

export interface ManifestPlacementParts {
  storage: StorageDriver;
  tags: Tags;
  leases: Leases;
  /** Holds what the manifest relies on. Throws when the repository may not take this manifest. */
  check(repository: string, manifest: Manifest, call: Call): Promise<void>;
}

/**
 * Ends a push that found something missing once all was in its place. To be called when nobody else
 * pushes to the repository in this process.
 *
 * @throws what was wrong, once nothing is shown of the push
 */
export type Settle = (call: ActorCall) => Promise<void>;

/**
 * Puts manifests and their tags in their places. A manifest is there for good before a tag means it.
 * What it names is held once more when its link is there, and when its tags are: a collection that has
 * not seen them sees that. See `Leases`.
 */
export function manifestPlacementOn({ storage, tags, leases, check }: ManifestPlacementParts) {
  const undone = new UndoneMoves();

  return {
    /** Resolves when that is durable. @throws what `check` throws, with nothing in its place */
    async place(
      repository: string,
      pushed: Pushed,
      names: readonly string[],
      call: ActorCall,
    ): Promise<Settle | undefined> {
      const { digest, manifest } = pushed;
      const relied = reliedOn(repository, manifest);
      const touch = touchedBy(repository, pushed, relied);
      const begun =
        (await allAtOnce(repository, pushed, { names, relied }, call)) ??
        (await itself(repository, pushed, relied, call));
      const [size, ...sizes] = begun.sizes;
      try {
        const isThere = size !== undefined || (await leases.renew(blobDataPath(digest), call));
        if (!isThere) await keep(repository, pushed, call);
        else if (!relied.areThere(sizes)) await check(repository, manifest, call);
      } catch (error) {
        return (alone) => settle(repository, pushed, { ...begun, error }, alone);
      }
      if (names.length === 0) return undefined;
      const written =
        begun.tags ?? (await tags.write(repository, names, digest, { ...call, touch }));
      try {
        const [own, link, ...others] = written.last ?? [];
        const isKept = own !== undefined && link !== undefined && relied.areThere(others);
        if (!isKept) await keep(repository, pushed, call);
        return undefined;
      } catch (error) {
        return (alone) => settle(repository, pushed, { ...begun, tags: written, error }, alone);
      }
    },
  };

  /**
   * Another push may have brought what was missing, and rely on the same manifest: it is undone only
   * when something is known to be missing, and not when that cannot be looked at.
   */
  async function settle(
    repository: string,
    pushed: Pushed,
    { isNew, tags: written, error }: Begun & { error: unknown },
    call: ActorCall,
  ): Promise<void> {
    const link = revisionLinkPath(repository, pushed.digest);
    if (!(await leases.renew(link, call)) && !(await isMeant(repository, pushed, written, call))) {
      throw error; // somebody who saw it has deleted it, tags and all
    }
    const failure = await keep(repository, pushed, call).catch((failed: unknown) => failed);
    if (failure === undefined && written !== undefined) return;
    if (failure instanceof OciError || isFull(failure)) {
      if (written !== undefined) await restore(repository, pushed, written.before, call);
      if (isNew) await storage.delete(link, call);
    }
    throw error;
  }

  /** Whether one of the tags that were written still means it. */
  async function isMeant(
    repository: string,
    { digest }: Pushed,
    written: TagsWritten | undefined,
    call: Call,
  ): Promise<boolean> {
    for (const tag of written?.before.keys() ?? []) {
      if ((await tags.read(repository, tag, call)) === digest) return true;
    }
    return false;
  }

  /** `undefined` where one look does not tell whether what it relies on is there; or it is not. */
  async function allAtOnce(
    repository: string,
    pushed: Pushed,
    { names, relied }: { names: readonly string[]; relied: ReliedOn },
    call: ActorCall,
  ): Promise<Begun | undefined> {
    if (relied.paths.length === 0) return undefined;
    const { digest } = pushed;
    const read = linksAt([revisionLinkPath(repository, digest)]);
    const look = { files: [], touch: relied.paths, read };
    const first = [look, filesOf(repository, pushed, relied)];
    const touch = touchedBy(repository, pushed, relied);
    const written = await tags.write(repository, names, digest, { ...call, first, touch });
    const [looked, placed] = written.first;
    if (looked === undefined || placed === undefined) return undefined;
    const isNew = linkIn(looked.read[0]) === undefined;
    return { isNew, sizes: placed.sizes, tags: written.last && written };
  }

  async function itself(
    repository: string,
    pushed: Pushed,
    relied: ReliedOn,
    call: Call,
  ): Promise<Begun> {
    const link = revisionLinkPath(repository, pushed.digest);
    const [present] = await Promise.all([
      readLink(storage, link, call),
      check(repository, pushed.manifest, call),
    ]);
    const { files, touch } = filesOf(repository, pushed, relied);
    const sizes = await storage.place(files, { ...call, touch });
    return { isNew: present === undefined, sizes, tags: undefined };
  }

  /**
   * Tags that would mean what is gone for good mean again what they meant before; not those that
   * somebody has pushed meanwhile.
   */
  async function restore(
    repository: string,
    { digest }: Pushed,
    before: TagMeanings,
    call: ActorCall,
  ): Promise<void> {
    for (const [tag, meaning] of before) {
      if ((await tags.read(repository, tag, call)) !== digest) {
        if (meaning !== digest) undone.note(tagIndexLinkPath(repository, tag, digest), meaning);
        continue;
      }
      const last = await standing(repository, tag, meaning, call);
      if (last === undefined) await tags.delete(repository, tag, call);
      else await tags.write(repository, [tag], last, { ...call, touch: [] });
    }
  }

  /** What the tag meant may itself have been undone since. */
  async function standing(
    repository: string,
    tag: string,
    meaning: Digest | undefined,
    call: Call,
  ): Promise<Digest | undefined> {
    let last = meaning;
    while (last !== undefined && !(await leases.renew(revisionLinkPath(repository, last), call))) {
      last = undone.take(tagIndexLinkPath(repository, tag, last));
    }
    return last;
  }

  /**
   * Holds all of a manifest that has a tag now. A collection that began after its link was written,
   * and has not seen the tag, has taken it, or is about to.
   */
  async function keep(
    repository: string,
    { digest, manifest, bytes }: Pushed,
    call: Call,
  ): Promise<void> {
    const [data, path] = [blobDataPath(digest), revisionLinkPath(repository, digest)];
    const [present] = await Promise.all([
      leases.renewPresent([data, path], call),
      check(repository, manifest, call),
    ]);
    if (!present.includes(undefined)) return;
    if (!(await leases.renew(data, call))) await storage.write(data, bytes, call);
    if (!(await leases.renew(path, call))) await storage.place([linkAt(path, digest)], call);
    await check(repository, manifest, call);
  }
}

/** Its bytes and its link. */
function filesOf(repository: string, { digest, bytes }: Pushed, { paths }: ReliedOn) {
  const data = blobDataPath(digest);
  const files = [{ path: data, bytes }, linkAt(revisionLinkPath(repository, digest), digest)];
  return { files, touch: [data, ...paths] };
}

/** What a tag of it relies on. */
function touchedBy(repository: string, { digest }: Pushed, { paths }: ReliedOn) {
  return [blobDataPath(digest), revisionLinkPath(repository, digest), ...paths];
}
