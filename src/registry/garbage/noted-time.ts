import type { Call } from "../../base/call.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";

const maximumBytes = 64;

/** When something was last done, whichever registry did that; `undefined` when nobody knows. */
export async function readNotedTime(
  storage: StorageDriver,
  path: StoragePath,
  call: Call,
): Promise<Date | undefined> {
  const [bytes] = await storage.readEach([path], { maximumBytes, ...call });
  if (bytes === undefined) return undefined;
  const at = new Date(Buffer.from(bytes).toString());
  return Number.isNaN(at.getTime()) ? undefined : at;
}

export async function noteTime(
  storage: StorageDriver,
  path: StoragePath,
  at: Date,
  call: Call,
): Promise<void> {
  await storage.write(path, Buffer.from(at.toISOString()), call);
}
