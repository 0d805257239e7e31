import type { Call } from "../../base/call.ts";
import { isRepository } from "../../oci/reference.ts";
import type { StorageDriver } from "../storage-driver.ts";
import type { Page, PageRequest } from "./page.ts";
import { repositoriesPath, repositoryPath } from "./paths.ts";
import { isRepositoryThere, type RepositoryPart } from "./repository.ts";

const fewest = 128;

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
  ): AsyncGenerator<string> {
    const [first, ...rest] = last;
    for await (const child of childrenOf(parent, first, call)) {
      const name = parent === "" ? child : `${parent}/${child}`;
      const isPassed = child === first && rest.length > 0;
      if (!isPassed && (await isRepositoryThere(storage, name, call))) yield name;
      yield* repositoriesBelow(name, child === first ? rest : [], call);
    }
  }

  /** From `first` on, which need not be there. What is asked for at once grows: few read them all. */
  async function* childrenOf(
    parent: string,
    first: string | undefined,
    call: Call,
  ): AsyncGenerator<string> {
    const path = parent === "" ? repositoriesPath : repositoryPath(parent);
    if (first !== undefined && isRepository(first)) yield first;
    for (let after = first, count = fewest; ; count *= 8) {
      const names = await storage.names(path, { ...call, after, count });
      for (const name of names) if (isRepository(name)) yield name;
      if (names.length < count) return;
      after = names.at(-1);
    }
  }
}
