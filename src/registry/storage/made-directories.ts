import { dirname } from "node:path";
import { makeDirectory } from "./file-steps.ts";

const mostRemembered = 10_000;

/**
 * The directories that this process has made, as far as a power failure might still undo that: not
 * every file system keeps what leads to a file that is synced. What a killed process has made, the
 * kernel writes within its half minute.
 */
export class MadeDirectories {
  readonly #sync: ((directory: string) => Promise<void>) | undefined;
  /** What holds a new name, and which of all it was. */
  readonly #holders = new Map<string, number>();
  #made = 0;

  /** `sync` resolves when the names in a directory are on the medium; `undefined` where they are anyway. */
  constructor(sync: ((directory: string) => Promise<void>) | undefined) {
    this.#sync = sync;
  }

  /** Makes it, and what is missing above it. */
  make(directory: string): void {
    this.#make(directory, { forgetting: undefined });
  }

  /** Makes a directory in which nothing is that anybody was promised; those above it may be needed. */
  makeForDrafts(directory: string): void {
    this.#make(directory, { forgetting: dirname(directory) });
  }

  /** Once this resolves, a power failure takes none of these directories away. */
  async keep(directories: readonly string[]): Promise<void> {
    const [oldest] = this.#holders.keys();
    if (this.#holders.size > mostRemembered && oldest) await this.#syncNames(oldest);
    if (this.#holders.size === 0) return;
    const above = new Set(directories.flatMap((directory) => ancestorsOf(dirname(directory))));
    await Promise.all([...above].map((holder) => this.#syncNames(holder)));
  }

  /** Whoever makes another one in there meanwhile waits for it himself. */
  async #syncNames(holder: string): Promise<void> {
    const last = this.#holders.get(holder);
    if (last === undefined) return;
    await this.#sync?.(holder);
    if (this.#holders.get(holder) === last) this.#holders.delete(holder);
  }

  #make(directory: string, { forgetting }: { forgetting: string | undefined }): void {
    const first = makeDirectory(directory);
    if (first === undefined || this.#sync === undefined) return;
    const above = ancestorsOf(directory);
    const holders = above.slice(0, above.indexOf(first) + 1).map((made) => dirname(made));
    this.#remember(holders.filter((holder) => holder !== forgetting));
  }

  #remember(holders: readonly string[]): void {
    for (const holder of holders) {
      this.#holders.delete(holder);
      this.#holders.set(holder, ++this.#made);
    }
  }
}

/** A path and all that lead to it, the longest first. */
function ancestorsOf(path: string): string[] {
  const all = [path];
  for (let at = path; dirname(at) !== at; at = dirname(at)) all.push(dirname(at));
  return all;
}
