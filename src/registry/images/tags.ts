import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import { isTag } from "../../oci/reference.ts";
import type {
  NamesPage,
  PlacedStep,
  PlaceStep,
  StorageDriver,
  StoragePath,
} from "../storage-driver.ts";
import type { Leases } from "./leases.ts";
import { linkAt, linkIn, linksAt, readLink, readLinks } from "./link.ts";
import { type Page, type PageRequest, pageOf } from "./page.ts";
import { revisionLinkPath, tagIndexLinkPath, tagLinkPath, tagPath, tagsPath } from "./paths.ts";
import { isRepositoryThere } from "./repository.ts";
import type { ActorCall, TagHistory } from "./tag-history.ts";

/** What the tags of each repository mean. Read from storage each time: others may write to it. */
export interface Tags {
  /** `undefined` when there is no such tag. */
  read(repository: string, tag: string, call: Call): Promise<Digest | undefined>;
  /** Has the tags mean `digest`. */
  write(
    repository: string,
    tags: readonly string[],
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
  first?: readonly PlaceStep[] | undefined;
  /** As by `touch`, once the tags mean it. */
  touch: readonly StoragePath[];
};

export interface TagsWritten {
  before: TagMeanings;
  first: readonly PlacedStep[];
  /** Of `touch`; `undefined` when something was missing before, and the tags mean what they did. */
  last: (number | undefined)[] | undefined;
}

export interface TagsParts {
  storage: StorageDriver;
  leases: Leases;
  /** Where changes are noted, if anywhere. */
  history: TagHistory | undefined;
}

const mostRemembered = 1000;

export function tagsOn({ storage, leases, history }: TagsParts): Tags {
  /** The links of what tags were set to here lately: mostly what they still mean, and move from next. */
  const guesses = new Map<StoragePath, StoragePath>();

  return {
    read,

    async write(repository, names, digest, { first = [], touch, ...call }) {
      const current = names.map((tag) => tagLinkPath(repository, tag));
      const past = names.map((tag) => tagIndexLinkPath(repository, tag, digest));
      const files = [...past, ...current].map((path) => linkAt(path, digest));
      const look = { files: [], touch: [], read: linksAt(current) };
      const guessed = current.map((path) => guesses.get(path)).filter((path) => path !== undefined);
      const steps = [look, ...first, { files, touch: [...touch, ...guessed] }];
      const [looked, ...placed] = await storage.placeInTurn(steps, call);
      const before = new Map(names.map((tag, at) => [tag, linkIn(looked?.read[at])]));
      const sizes = placed[first.length]?.sizes;
      if (sizes !== undefined) {
        const left = guessed.filter((_, at) => sizes[touch.length + at] !== undefined);
        await moved(repository, before, digest, { ...call, left });
        for (const path of current) remember(path, revisionLinkPath(repository, digest));
      }
      return { before, first: placed, last: sizes?.slice(0, touch.length) };
    },

    async delete(repository, tag, call) {
      const before = await read(repository, tag, call);
      const link = tagLinkPath(repository, tag);
      // A damaged link means nothing, and can be deleted all the same.
      if (before === undefined && !(await storage.stat(link, call))) return false;
      if (before !== undefined) await leave(repository, before, call);
      await storage.delete(link, call);
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

  function remember(tag: StoragePath, link: StoragePath): void {
    guesses.delete(tag);
    guesses.set(tag, link);
    const [oldest] = guesses.keys();
    if (guesses.size > mostRemembered && oldest) guesses.delete(oldest);
  }

  /** `left` are the links of what has its grace already. */
  async function moved(
    repository: string,
    before: TagMeanings,
    digest: Digest,
    { left, ...call }: ActorCall & { left: readonly StoragePath[] },
  ): Promise<void> {
    const changed = [...before].filter(([, meaning]) => meaning !== digest);
    for (const [tag, previous] of changed) {
      history?.noteSoon(repository, tag, { digest, previous }, call);
    }
    const meanings = changed.flatMap(([, meaning]) => (meaning === undefined ? [] : [meaning]));
    const others = meanings.filter((each) => !left.includes(revisionLinkPath(repository, each)));
    await Promise.all(others.map((meaning) => leave(repository, meaning, call)));
  }

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
