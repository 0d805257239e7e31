import type { Call } from "../../base/call.ts";
import { isRepository } from "../../oci/reference.ts";
import type { NamesPage, StorageDriver } from "../storage-driver.ts";
import type { Page, PageRequest } from "./page.ts";
import { repositoriesPath, repositoryPath } from "./paths.ts";
import { isRepositoryThere, type RepositoryPart, repositoryParts } from "./repository.ts";

const fewest = 128;
/** How many repositories are looked into at once: at first, and when many are read. */
const fewestAtOnce = 8;
const mostAtOnce = 32;

export type WalkCall = Call & { having?: readonly RepositoryPart[] };

/** Lists the repositories, in Distribution's order: name by name, so `a/b` comes before `a-b`. */
export interface Catalog {
  /** Only those repositories that `shows` does not pass over, where it is given. */
  list(page: PageRequest, call: Call & { shows?: (repository: string) => boolean }): Promise<Page>;
  /** Each repository after `last`, in the same order; all that have one of these parts, if told. */
  walk(last: string | undefined, call: WalkCall): AsyncIterable<string>;
}

export function catalogOn(storage: StorageDriver): Catalog {
  return {
    async list({ limit, last }, { shows = () => true, ...call }) {
      const names: string[] = [];
      if (limit === 0) return { names, more: false };
      for await (const name of walk(last, call)) {
        if (!shows(name)) continue;
        if (names.length === limit) return { names, more: true };
        names.push(name);
      }
      return { names, more: false };
    },

    walk,
  };

  async function* walk(last: string | undefined, call: WalkCall): AsyncGenerator<string> {
    for await (const name of repositoriesBelow("", last?.split("/") ?? [], call)) {
      if (name !== last) yield name;
    }
  }

  /** Walks the tree in order, passing over every branch that ends before `last`. */
  async function* repositoriesBelow(
    parent: string,
    last: readonly string[],
    call: WalkCall,
    known?: readonly string[],
  ): AsyncGenerator<string> {
    const [first, ...rest] = last;
    for await (const children of childrenOf(parent, first, call, known)) {
      const names = children.map((child) => (parent === "" ? child : `${parent}/${child}`));
      const isPassed = children.map((child) => child === first && rest.length > 0);
      const looks = names.map((name, at) => (isPassed[at] ? undefined : namesIn(name, call)));
      for (const look of looks) look?.catch(() => {}); // told when it is its turn
      for (const [at, name] of names.entries()) {
        const inside = await looks[at];
        if (inside && (await isThere(name, inside, call))) yield name;
        yield* repositoriesBelow(name, isPassed[at] ? rest : [], call, inside);
      }
    }
  }

  /**
   * A few at a time, which are looked into side by side, from `first` on, which need not be there.
   * What is asked for at once grows: few read them all.
   */
  async function* childrenOf(
    parent: string,
    first: string | undefined,
    call: Call,
    known: readonly string[] | undefined,
  ): AsyncGenerator<string[]> {
    if (first !== undefined && isRepository(first)) yield [first];
    let most = fewestAtOnce;
    for (let after = first, count = fewest; ; count *= 8) {
      const isKnown = known !== undefined && after === undefined;
      const names = isKnown ? known : await namesIn(parent, { ...call, after, count });
      const children = names.filter(isRepository);
      while (children.length > 0) {
        yield children.splice(0, most);
        most = Math.min(2 * most, mostAtOnce);
      }
      if (names.length < count) return;
      after = names.at(-1);
    }
  }

  function namesIn(
    parent: string,
    { after, count = fewest, ...call }: Call & Partial<NamesPage>,
  ): Promise<string[]> {
    const path = parent === "" ? repositoriesPath : repositoryPath(parent);
    return storage.names(path, { ...call, after, count });
  }

  /** Most often the first names inside say it. */
  async function isThere(
    name: string,
    inside: readonly string[],
    call: WalkCall,
  ): Promise<boolean> {
    const { having = repositoryParts } = call;
    if (having.some((part) => inside.includes(part))) return true;
    return inside.length === fewest && (await isRepositoryThere(storage, name, call));
  }
}
