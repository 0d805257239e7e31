import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import { isTag } from "../../oci/reference.ts";
import type { NamesPage, PlaceStep, StorageDriver, StoragePath } from "../storage-driver.ts";
import type { Leases } from "./leases.ts";
import { linkAt, readLink, readLinks } from "./link.ts";
import { type Page, type PageRequest, pageOf } from "./page.ts";
import { revisionLinkPath, tagIndexLinkPath, tagLinkPath, tagPath, tagsPath } from "./paths.ts";
import { isRepositoryThere } from "./repository.ts";
import type { ActorCall, TagHistory } from "./tag-history.ts";

/** What the tags of each repository mean. Read from storage each time: others may write to it. */
export interface Tags {
  /** `undefined` when there is no such tag. */
  read(repository: string, tag: string, call: Call): Promise<Digest | undefined>;
  /** The same for several. */
  meanings(repository: string, tags: readonly string[], call: Call): Promise<TagMeanings>;
  /** Has the tags of `before`, which have meant that, mean `digest`. */
  write(
    repository: string,
    before: TagMeanings,
    digest: Digest,
    call: TagCall,
  ): Promise<TagsWritten>;
  /** `false` when there was none. */
  delete(repository: string, tag: string, call: ActorCall): Promise<boolean>;
  /** In the order of their bytes. `undefined` when there is no such repository. */
  list(repository: string, page: PageRequest, call: Call): Promise<Page | undefined>;
  /** Every tag that means `digest`, in no order. */
  of(repository: string, digest: Digest, call: Call): AsyncIterable<string>;
}

export type TagMeanings = ReadonlyMap<string, Digest | undefined>;

export type TagCall = ActorCall & {
  /** What is put in its place before, for good: see `placeInTurn`. */
  first?: PlaceStep | undefined;
  /** As by `touch`, once the tags mean it. */
  touch: readonly StoragePath[];
};

/** The sizes of what was to be touched. */
export interface TagsWritten {
  first: (number | undefined)[];
  /** `undefined` when something was missing already, and the tags mean what they did. */
  last: (number | undefined)[] | undefined;
}

export interface TagsParts {
  storage: StorageDriver;
  leases: Leases;
  /** Where changes are noted, if anywhere. */
  history: TagHistory | undefined;
}

export function tagsOn({ storage, leases, history }: TagsParts): Tags {
  return {
    read,

    async meanings(repository, names, call) {
      const paths = names.map((tag) => tagLinkPath(repository, tag));
      const links = await readLinks(storage, paths, call);
      return new Map(names.map((tag, at) => [tag, links[at]]));
    },

    async write(repository, before, digest, { first = { files: [], touch: [] }, touch, ...call }) {
      const names = [...before.keys()];
      const past = names.map((tag) => linkAt(tagIndexLinkPath(repository, tag, digest), digest));
      const links = names.map((tag) => linkAt(tagLinkPath(repository, tag), digest));
      const steps = [first, { files: [...past, ...links], touch }];
      const changed = [...before].filter(([, meaning]) => meaning !== digest);
      const left = changed.map(([, meaning]) => meaning && leave(repository, meaning, call));
      const [placed] = await Promise.allSettled([storage.placeInTurn(steps, call), ...left]);
      await Promise.all(left); // nobody is told of a failure while something is still being placed
      if (placed.status === "rejected") throw placed.reason;
      const [sizes = [], last] = placed.value;
      if (last === undefined) return { first: sizes, last };
      for (const [tag, previous] of changed) {
        void history?.note(repository, tag, { digest, previous }, call); // nobody waits for it
      }
      return { first: sizes, last };
    },

    async delete(repository, tag, call) {
      const before = await read(repository, tag, call);
      if (before === undefined) return false;
      await leave(repository, before, call);
      await storage.delete(tagLinkPath(repository, tag), call);
      await storage.delete(tagPath(repository, tag), call);
      await history?.note(repository, tag, { digest: undefined, previous: before }, call);
      return true;
    },

    async list(repository, request, call) {
      const next = (part: NamesPage) => storage.names(tagsPath(repository), { ...call, ...part });
      const page = await pageOf(next, (tags) => areThere(repository, tags, call), request);
      if (page.names.length > 0) return page;
      return (await isRepositoryThere(storage, repository, call)) ? page : undefined;
    },

    async *of(repository, digest, call) {
      for await (const tag of storage.list(tagsPath(repository), call)) {
        if (isTag(tag) && (await read(repository, tag, call)) === digest) yield tag;
      }
    },
  };

  /**
   * Its grace begins when the tag no longer means it: somebody may be pulling it. When a collection
   * is faster than that, it is brought back.
   */
  async function leave(repository: string, digest: Digest, call: Call): Promise<void> {
    await leases.renew(revisionLinkPath(repository, digest), call);
  }

  async function areThere(
    repository: string,
    names: readonly string[],
    call: Call,
  ): Promise<boolean[]> {
    const paths = names.map((tag) => (isTag(tag) ? tagLinkPath(repository, tag) : undefined));
    const links = await readLinks(
      storage,
      paths.filter((path) => path !== undefined),
      call,
    );
    let next = 0;
    return paths.map((path) => path !== undefined && links[next++] !== undefined);
  }

  function read(repository: string, tag: string, call: Call): Promise<Digest | undefined> {
    return readLink(storage, tagLinkPath(repository, tag), call);
  }
}
