import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Manifest } from "../../oci/manifest.ts";
import type { StorageDriver } from "../storage-driver.ts";
import type { Leases } from "./leases.ts";
import { linkAt } from "./link.ts";
import { blobDataPath, revisionLinkPath } from "./paths.ts";
import { type ReliedOn, reliedOn } from "./relied-on.ts";
import type { ActorCall } from "./tag-history.ts";
import type { TagMeanings, Tags, TagsWritten } from "./tags.ts";

export interface Pushed {
  digest: Digest;
  manifest: Manifest;
  bytes: Uint8Array;
}

/** How it was before the push. */
export interface Before {
  /** Of the tags that it is pushed with. */
  tags: TagMeanings;
  isNew: boolean;
}

export interface ManifestPlacementParts {
  storage: StorageDriver;
  tags: Tags;
  leases: Leases;
  /** Holds what the manifest relies on. Throws when the repository may not take this manifest. */
  check(repository: string, manifest: Manifest, call: Call): Promise<void>;
}

/**
 * Puts manifests and their tags in their places. A manifest is there for good before a tag means it.
 * What it names is held once more when its link is there, and when its tags are: a collection that has
 * not seen them sees that. See `Leases`.
 */
export function manifestPlacementOn({ storage, tags, leases, check }: ManifestPlacementParts) {
  return {
    /** Resolves when that is durable. @throws what `check` throws, and then shows nothing of it */
    async place(
      repository: string,
      pushed: Pushed,
      before: Before,
      call: ActorCall,
    ): Promise<void> {
      const relied = reliedOn(repository, pushed.manifest);
      const written = await begun(repository, pushed, { before, relied }, call);
      const [size, ...sizes] = written.first;
      const path = revisionLinkPath(repository, pushed.digest);
      try {
        if (size === undefined) await leases.renew(blobDataPath(pushed.digest), call);
        if (!relied.areThere(sizes)) await check(repository, pushed.manifest, call);
      } catch (error) {
        if (written.last) await restore(repository, pushed, before, call);
        if (before.isNew) await storage.delete(path, call);
        throw error;
      }
      if (before.tags.size === 0) return;
      const touch = touchedBy(repository, pushed, relied);
      const { last } = written.last
        ? written
        : await tags.write(repository, before.tags, pushed.digest, { ...call, touch });
      try {
        const [own, link, ...others] = last ?? [];
        const isKept = own !== undefined && link !== undefined && relied.areThere(others);
        if (!isKept) await keep(repository, pushed, call);
      } catch (error) {
        await restore(repository, pushed, before, call);
        throw error;
      }
    },
  };

  /** With its tags, unless they have to wait until it is known whether all is there. */
  async function begun(
    repository: string,
    pushed: Pushed,
    { before, relied }: { before: Before; relied: ReliedOn },
    call: ActorCall,
  ): Promise<TagsWritten> {
    const { digest, bytes } = pushed;
    const data = blobDataPath(digest);
    const files = [{ path: data, bytes }, linkAt(revisionLinkPath(repository, digest), digest)];
    const first = { files, touch: [data, ...relied.paths] };
    if (before.tags.size > 0 && relied.paths.length > 0) {
      const touch = touchedBy(repository, pushed, relied);
      return await tags.write(repository, before.tags, digest, { ...call, first, touch });
    }
    const sizes = await storage.place(files, { ...call, touch: first.touch });
    return { first: sizes, last: undefined };
  }

  /**
   * Tags that would mean what is gone for good mean again what they meant before; not those that
   * somebody has pushed meanwhile.
   */
  async function restore(
    repository: string,
    { digest }: Pushed,
    before: Before,
    call: ActorCall,
  ): Promise<void> {
    const now = await tags.meanings(repository, [...before.tags.keys()], call);
    for (const [tag, meaning] of before.tags) {
      if (now.get(tag) !== digest) continue;
      const present = new Map([[tag, digest]]);
      if (meaning === undefined) await tags.delete(repository, tag, call);
      else await tags.write(repository, present, meaning, { ...call, touch: [] });
    }
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

/** What a tag of it relies on. */
function touchedBy(repository: string, { digest }: Pushed, { paths }: ReliedOn) {
  return [blobDataPath(digest), revisionLinkPath(repository, digest), ...paths];
}
