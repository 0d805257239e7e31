import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { type StorageDriver, StorageError, type StoragePath } from "../storage-driver.ts";
import type { Trash } from "./trash.ts";

/** How exact the time of last use is for what is only read. */
const refreshMs = 60_000;
const maximumRemembered = 50_000;

/**
 * Says of files that somebody relies on them now, so that no collection takes them, in this process
 * or another: the time of last use is the time of last change, which nothing else needs.
 *
 * The order is what makes it safe. A collection looks at that time, renames the file into the trash,
 * and looks again, and who relies on a file renews it after writing what names it. So either the
 * collection sees the new time and brings the file back, or the renewal misses the file and does.
 */
export class Leases {
  readonly #storage: StorageDriver;
  readonly #trash: Trash;
  readonly #clock: Clock;
  readonly #refreshed = new Map<StoragePath, number>();

  constructor(storage: StorageDriver, trash: Trash, clock: Clock) {
    this.#storage = storage;
    this.#trash = trash;
    this.#clock = clock;
  }

  /** Brings the file back when it was collected; `false` when it is nowhere. */
  async renew(path: StoragePath, call: Call): Promise<boolean> {
    if (await this.#touch(path, call)) return true;
    const isBack = await this.#trash.restore(path, call);
    return (await this.#touch(path, call)) || isBack;
  }

  /** The sizes of those that are there, renewed one after the other; brings none back. */
  async renewPresent(paths: readonly StoragePath[], call: Call): Promise<(number | undefined)[]> {
    try {
      return await this.#storage.touch(paths, call);
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== "READ_ONLY") throw error;
      // Where nothing may be changed, nothing is pushed either, and a pull needs no lease.
      const files = paths.map((path) => this.#storage.stat(path, call));
      return (await Promise.all(files)).map((file) => file?.size);
    }
  }

  /** Brings the file back when it was collected although somebody relied on it. */
  rescue(path: StoragePath, call: Call): Promise<boolean> {
    return this.#trash.rescue(path, call);
  }

  /** Sees to it that what is deleted does not come back. */
  async end(path: StoragePath, call: Call): Promise<void> {
    this.#refreshed.delete(path);
    await this.#trash.forget(path, call);
  }

  /** Whether to renew what is being read; `true` once a minute for each file. */
  isDue(path: StoragePath): boolean {
    const nowMs = this.#clock.now().getTime();
    const lastMs = this.#refreshed.get(path);
    if (lastMs !== undefined && nowMs >= lastMs && nowMs - lastMs < refreshMs) return false;
    this.#refreshed.delete(path);
    this.#refreshed.set(path, nowMs);
    const oldest = this.#refreshed.keys().next();
    if (this.#refreshed.size > maximumRemembered && !oldest.done) {
      this.#refreshed.delete(oldest.value);
    }
    return true;
  }

  async #touch(path: StoragePath, call: Call): Promise<boolean> {
    const [size] = await this.renewPresent([path], call);
    return size !== undefined;
  }
}
