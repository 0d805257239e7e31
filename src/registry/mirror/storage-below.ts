import type { PlaceCall, Placement, StorageDriver, StoragePath } from "../storage-driver.ts";

/** A part of `storage` that looks like a whole one. Closing it leaves `storage` open. */
export function storageBelow(storage: StorageDriver, directory: StoragePath): StorageDriver {
  const at = (path: StoragePath): StoragePath => `${directory}${path}`;
  const placed = (file: Placement): Placement => ({
    ...file,
    path: at(file.path),
    ...("from" in file && { from: at(file.from) }),
  });
  const placing = ({ touch = [], discard, ...call }: PlaceCall): PlaceCall => ({
    ...call,
    touch: touch.map(at),
    ...(discard && { discard: at(discard) }),
  });
  return {
    read: (path, call) => storage.read(at(path), call),
    readWhole: (path, call) => storage.readWhole(at(path), call),
    write: (path, bytes, call) => storage.write(at(path), bytes, call),
    append: (path, source, call) => storage.append(at(path), source, call),
    extend: (path, bytes, call) => storage.extend(at(path), bytes, call),
    stat: (path, call) => storage.stat(at(path), call),
    list: (path, call) => storage.list(at(path), call),
    names: (path, page) => storage.names(at(path), page),
    readEach: (paths, call) => storage.readEach(paths.map(at), call),
    setAside: (from, to, call) => storage.setAside(at(from), at(to), call),
    touch: (paths, call) => storage.touch(paths.map(at), call),
    place: (files, call) => storage.place(files.map(placed), placing(call)),
    placeInTurn(steps, call) {
      const below = steps.map(({ files, touch, read }) => ({
        ...{ files: files.map(placed), touch: touch.map(at) },
        read: read && { ...read, paths: read.paths.map(at) },
      }));
      return storage.placeInTurn(below, call);
    },
    delete: (path, call) => storage.delete(at(path), call),
    discard: (path, call) => storage.discard(at(path), call),
    async close() {},
  };
}
