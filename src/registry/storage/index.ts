import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { StorageDriver } from "../storage-driver.ts";
import type { BreakOptions } from "./breaks.ts";
import { checkFilesystemStorage, FilesystemOptions, openFilesystemStorage } from "./filesystem.ts";
import { InmemoryOptions, openInmemoryStorage } from "./inmemory.ts";
import type { StaleDraftOptions } from "./stale-drafts.ts";

export { besidePushes } from "./breaks.ts";
export type { StaleDraftOptions } from "./stale-drafts.ts";

/** The options of every storage driver, under the name that `storage:` in the configuration uses. */
export const storageOptions = { filesystem: FilesystemOptions, inmemory: InmemoryOptions };

/** The driver that was chosen, with its options. */
export type StorageChoice =
  | { driver: "filesystem"; options: FilesystemOptions }
  | { driver: "inmemory" };

/** @param breaks for a thread that does nothing else, which may be blocked between them */
export async function openStorage(
  choice: StorageChoice,
  { access, clock, breaks }: { access: "read" | "write"; clock: Clock; breaks?: BreakOptions },
): Promise<StorageDriver> {
  if (choice.driver === "inmemory") return openInmemoryStorage(() => clock.now());
  if (breaks) {
    const { openBlockingStorage } = await import("./blocking-filesystem.ts");
    return await openBlockingStorage(choice.options, { access, breaks });
  }
  return await openFilesystemStorage(choice.options, { access });
}

/**
 * Whether `openStorage` would find what it needs; changes nothing.
 *
 * @throws {StorageError}
 */
export async function checkStorage(
  choice: StorageChoice,
  { access }: { access: "read" | "write" },
): Promise<void> {
  if (choice.driver === "filesystem") await checkFilesystemStorage(choice.options, { access });
}

/** As `discardStaleDrafts`; where nothing outlives the process, there are none. */
export async function discardDrafts(
  choice: StorageChoice,
  options: StaleDraftOptions & { breaks: BreakOptions },
  call: Call,
): Promise<number> {
  if (choice.driver === "inmemory") return 0;
  const { discardStaleDrafts } = await import("./stale-drafts.ts");
  return await discardStaleDrafts(choice.options.rootdirectory, options, call);
}
