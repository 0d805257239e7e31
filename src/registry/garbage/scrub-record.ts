import type { Call } from "../../base/call.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";

const recordPath: StoragePath = "/dewy/scrubbed";
const maximumBytes = 64;

/** When all blobs were last read, whichever registry did that; `undefined` when nobody knows. */
export async function readScrubRecord(
  storage: StorageDriver,
  call: Call,
): Promise<Date | undefined> {
  const [bytes] = await storage.readEach([recordPath], { maximumBytes, ...call });
  if (bytes === undefined) return undefined;
  const at = new Date(Buffer.from(bytes).toString());
  return Number.isNaN(at.getTime()) ? undefined : at;
}

export async function writeScrubRecord(
  storage: StorageDriver,
  at: Date,
  call: Call,
): Promise<void> {
  await storage.write(recordPath, Buffer.from(at.toISOString()), call);
}
