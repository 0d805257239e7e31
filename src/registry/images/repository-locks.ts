import type { Call } from "../../base/call.ts";

interface Queue {
  /** Ends with the last work that was to run alone. */
  alone: Promise<unknown>;
  /** What runs side by side after that. */
  together: Set<Promise<unknown>>;
  waiting: number;
}

/**
 * Lets what adds to a repository run side by side, and what takes something away run alone.
 *
 * Otherwise a manifest could be acknowledged while its blob is being unlinked, or a tag while the
 * manifest it meant before is being deleted together with its tags. Holds for this process only: two
 * that serve one directory have Distribution's guarantees, which has no locks at all.
 */
export class RepositoryLocks {
  readonly #queues = new Map<string, Queue>();

  adding<Result>(repository: string, call: Call, work: () => Promise<Result>): Promise<Result> {
    return this.#enter(repository, async (queue) => {
      const result = after([queue.alone], call, work);
      const settled = result.catch(() => {});
      queue.together.add(settled);
      await settled;
      queue.together.delete(settled);
      return await result;
    });
  }

  removing<Result>(repository: string, call: Call, work: () => Promise<Result>): Promise<Result> {
    return this.#enter(repository, async (queue) => {
      const result = after([queue.alone, ...queue.together], call, work);
      queue.alone = result.catch(() => {});
      return await result;
    });
  }

  async #enter<Result>(
    repository: string,
    work: (queue: Queue) => Promise<Result>,
  ): Promise<Result> {
    const queue = this.#queues.get(repository) ?? {
      alone: Promise.resolve(),
      together: new Set(),
      waiting: 0,
    };
    this.#queues.set(repository, queue);
    queue.waiting++;
    try {
      return await work(queue);
    } finally {
      queue.waiting--;
      if (queue.waiting === 0) this.#queues.delete(repository);
    }
  }
}

async function after<Result>(
  earlier: Promise<unknown>[],
  { signal }: Call,
  work: () => Promise<Result>,
): Promise<Result> {
  await Promise.all(earlier);
  signal.throwIfAborted();
  return await work();
}
