import { fdatasync } from "node:fs";
import { promisify } from "node:util";
import type { StoragePath } from "../storage-driver.ts";
import { failureAt } from "./file-failure.ts";

const syncEachBytes = 2 * 1024 * 1024;
const bytesSynced = promisify(fdatasync);

/** Has the medium take what was written while more comes in, so that nobody waits for it all at the end. */
export class EarlySync {
  readonly #fd: number;
  readonly #path: StoragePath;
  #begun: number;
  #isBusy = false;
  #last: Promise<void> = Promise.resolve();
  #failure: unknown;

  constructor(fd: number, path: StoragePath, at: number) {
    this.#fd = fd;
    this.#path = path;
    this.#begun = at;
  }

  upTo(position: number): void {
    if (this.#isBusy || position - this.#begun < syncEachBytes) return;
    this.#begun = position;
    this.#isBusy = true;
    this.#last = this.#sync();
  }

  /** The file may be closed then. A failure is told here, as nobody is told of it a second time. */
  async end(): Promise<void> {
    await this.#last;
    if (this.#failure !== undefined) throw failureAt(this.#path, this.#failure);
  }

  async #sync(): Promise<void> {
    try {
      await bytesSynced(this.#fd);
    } catch (error) {
      this.#failure ??= error;
    } finally {
      this.#isBusy = false;
    }
  }
}
