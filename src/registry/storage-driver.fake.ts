import { placedInTurn } from "./storage/placed-in-turn.ts";
import type { PlaceCall, Placement, StorageDriver, StoragePath } from "./storage-driver.ts";

/** `storage`, where `around` sees to it that each file is put in its place, one by one. */
export function placingThrough(
  storage: StorageDriver,
  around: (path: StoragePath, put: () => Promise<void>) => Promise<void>,
): StorageDriver {
  return {
    ...storage,
    write: (path, bytes, call) => around(path, () => storage.write(path, bytes, call)),
    place,
    placeInTurn: (steps, call) => placedInTurn({ ...storage, place }, steps, call),
  };

  async function place(
    files: readonly Placement[],
    { touch = [], discard, ...call }: PlaceCall,
  ): Promise<(number | undefined)[]> {
    for (const file of files) {
      await around(file.path, async () => {
        await storage.place([file], call);
      });
    }
    const sizes = await storage.touch(touch, call);
    if (discard !== undefined) await storage.discard(discard, call);
    return sizes;
  }
}
