import type { Clock } from "../../base/clock.ts";
import type { TrashRoom } from "../images/trash.ts";
import { openStorage } from "../storage/index.ts";
import { isFull, type StorageDriver, type StoragePath } from "../storage-driver.ts";
import { garbagePath } from "./run-record.ts";

/**
 * A storage on which a collection finds room for its own notes, if need be in memory: a disk that was
 * full before the first start has no reserve. What is noted there does not outlive the process, so that
 * a collection that is killed before it has made room begins anew. `room` is told of it.
 */
export async function notesAside(
  storage: StorageDriver,
  { clock, room }: { clock: Clock; room: TrashRoom },
): Promise<StorageDriver> {
  const aside = await openStorage({ driver: "inmemory" }, { access: "write", clock });

  return {
    ...storage,
    async write(path, bytes, call) {
      if (isNote(path)) await aside.discard(path, call);
      try {
        await storage.write(path, bytes, call);
      } catch (error) {
        if (!isNote(path) || !isFull(error)) throw error;
        room.isShort = true;
        await aside.write(path, bytes, call);
        await storage.discard(path, call); // an older one would be read once memory is gone
      }
    },
    async read(path, call) {
      const isAside = isNote(path) && (await aside.stat(path, call)) !== undefined;
      return await (isAside ? aside : storage).read(path, call);
    },
    async readWhole(path, call) {
      const note = isNote(path) ? await aside.readWhole(path, call) : undefined;
      return note ?? (await storage.readWhole(path, call));
    },
    async discard(path, call) {
      if (isNote(path)) await aside.discard(path, call);
      await storage.discard(path, call);
    },
  };
}

function isNote(path: StoragePath): boolean {
  return path.startsWith(`${garbagePath}/`);
}
