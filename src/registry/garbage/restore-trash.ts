import type { Call } from "../../base/call.ts";
import { trashOn } from "../images/trash.ts";
import type { StorageDriver, StoragePath } from "../storage-driver.ts";

/**
 * Brings back all that collections took and that is still in the trash, blobs before the links to
 * them. What has come again since then stays as it is. Resolves to how many files came back.
 */
export async function restoreTrash(
  storage: StorageDriver,
  tell: (path: StoragePath) => void,
  call: Call,
): Promise<number> {
  const trash = trashOn(storage);
  let restored = 0;
  for (const kind of ["data", "link"]) {
    for (const run of await trash.runs(call)) {
      for await (const path of trash.files(run, call)) {
        call.signal.throwIfAborted();
        if (!path.endsWith(`/${kind}`) || (await storage.stat(path, call)) !== undefined) continue;
        if (!(await trash.restore(path, call))) continue;
        await storage.touch([path], call); // or the next collection takes it again
        tell(path);
        restored++;
      }
    }
  }
  return restored;
}
