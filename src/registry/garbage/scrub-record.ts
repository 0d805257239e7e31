import type { Call } from "../../base/call.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";
import { noteTime, readNotedTime } from "./noted-time.ts";

const recordPath: StoragePath = "/dewy/scrubbed";

/** When all blobs were last read. */
export function readScrubRecord(storage: StorageDriver, call: Call): Promise<Date | undefined> {
  return readNotedTime(storage, recordPath, call);
}

export function writeScrubRecord(storage: StorageDriver, at: Date, call: Call): Promise<void> {
  return noteTime(storage, recordPath, at, call);
}
