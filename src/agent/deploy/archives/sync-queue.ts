import type { FileHandle } from "node:fs/promises";

/** Enough for the disk to batch its commits, few enough open files. */
const mostAtOnce = 16;

/** Syncs and closes files while the next ones are being written. */
export interface SyncQueue {
  /** Takes over `handle`. Waits while many are under way; throws what went wrong with any before. */
  add(handle: FileHandle): Promise<void>;
  /** Waits for all of them; throws what went wrong with any. */
  settle(): Promise<void>;
  /** Waits for all of them, whatever went wrong. */
  close(): Promise<void>;
}

/**
 * One file after another costs a commit of the file system's journal each; `sync(1)` and
 * `syncfs(2)` write out what others have left unwritten, which has no bound. A few at a time is
 * both quick and bounded.
 */
export function openSyncQueue(): SyncQueue {
  const running = new Set<Promise<void>>();
  let failure: { error: unknown } | undefined;

  return {
    async add(handle) {
      const one = syncAndClose(handle)
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => running.delete(one));
      running.add(one);
      if (running.size >= mostAtOnce) await Promise.race(running);
      if (failure) throw failure.error;
    },

    async settle() {
      await Promise.all(running);
      if (failure) throw failure.error;
    },

    async close() {
      await Promise.all(running);
    },
  };
}

async function syncAndClose(handle: FileHandle): Promise<void> {
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
