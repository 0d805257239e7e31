import type { Call } from "../../base/call.ts";
import { isRepository } from "../../oci/reference.ts";
import type { StorageDriver } from "../storage-driver.ts";
import type { Page, PageRequest } from "./page.ts";
import { repositoriesPath, repositoryPath } from "./paths.ts";
import { isRepositoryThere, type RepositoryPart } from "./repository.ts";

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
    const children = (await childrenOf(parent, call)).filter(
      (child) => first === undefined || child >= first,
    );
    for (const child of children) {
      const name = parent === "" ? child : `${parent}/${child}`;
      const isPassed = child === first && rest.length > 0;
      if (!isPassed && (await isRepositoryThere(storage, name, call))) yield name;
      yield* repositoriesBelow(name, child === first ? rest : [], call);
    }
  }

  async function childrenOf(parent: string, call: Call): Promise<string[]> {
    const children: string[] = [];
    const path = parent === "" ? repositoriesPath : repositoryPath(parent);
    for await (const name of storage.list(path, call)) {
      if (isRepository(name)) children.push(name);
    }
    return children.sort();
  }
}
