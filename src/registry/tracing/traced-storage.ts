import type { StorageDriver } from "../storage-driver.ts";
import type { Tracer } from "./tracer.ts";

/** `storage`, with a span for each thing that is done to it for a request that is recorded. */
export function tracedStorage(
  storage: StorageDriver,
  driver: string,
  tracer: Tracer,
): StorageDriver {
  const part = <Result>(name: string, path: string, work: () => Promise<Result>) =>
    tracer.part(`storage ${name}`, { "storage.driver": driver, "file.path": path }, work);
  return {
    ...storage,
    read: (path, call) => part("read", path, () => storage.read(path, call)),
    readWhole: (path, call) => part("readWhole", path, () => storage.readWhole(path, call)),
    write: (path, bytes, call) => part("write", path, () => storage.write(path, bytes, call)),
    append: (path, source, call) => part("append", path, () => storage.append(path, source, call)),
    extend: (path, bytes, call) => part("extend", path, () => storage.extend(path, bytes, call)),
    stat: (path, call) => part("stat", path, () => storage.stat(path, call)),
    place: (files, call) =>
      part("place", files.at(-1)?.path ?? "", () => storage.place(files, call)),
    placeInTurn: (steps, call) =>
      part("placeInTurn", steps.at(-1)?.files.at(-1)?.path ?? "", () =>
        storage.placeInTurn(steps, call),
      ),
    setAside: (from, to, call) => part("setAside", from, () => storage.setAside(from, to, call)),
    touch: (paths, call) => part("touch", paths.at(-1) ?? "", () => storage.touch(paths, call)),
    delete: (path, call) => part("delete", path, () => storage.delete(path, call)),
    discard: (path, call) => part("discard", path, () => storage.discard(path, call)),
  };
}
