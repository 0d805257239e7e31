import type { Call } from "../../base/call.ts";
import type { Digest } from "../../oci/digest.ts";
import { isTag } from "../../oci/reference.ts";
import type { NamesPage, PlaceCall, StorageDriver } from "../storage-driver.ts";
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
  /** Resolves to what it meant before, and to the sizes of what was to be touched once it means this. */
  write(
    repository: string,
    tag: string,
    digest: Digest,
    call: ActorCall & Pick<PlaceCall, "touch">,
  ): Promise<TagWritten>;
  /** `false` when there was none. */
  delete(repository: string, tag: string, call: ActorCall): Promise<boolean>;
  /** In the order of their bytes. `undefined` when there is no such repository. */
  list(repository: string, page: PageRequest, call: Call): Promise<Page | undefined>;
  /** Every tag that means `digest`, in no order. */
  of(repository: string, digest: Digest, call: Call): AsyncIterable<string>;
}

export interface TagWritten {
  before: Digest | undefined;
  touched: (number | undefined)[];
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

    async write(repository, tag, digest, call) {
      const [before] = await readLinks(storage, [tagLinkPath(repository, tag)], call);
      if (before !== undefined && before !== digest) await leave(repository, before, call);
      const past = linkAt(tagIndexLinkPath(repository, tag, digest), digest);
      const files = [past, linkAt(tagLinkPath(repository, tag), digest)];
      const touched = await storage.place(files, call);
      if (before !== digest)
        await history?.note(repository, tag, { digest, previous: before }, call);
      return { before, touched };
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

  /** Its grace begins when the tag no longer means it: somebody may be pulling it. */
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
