import { type Metric, openHistogram } from "../../base/instruments.ts";
import type { StorageDriver } from "../storage-driver.ts";

const latencies = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * `storage`, with the time that its methods take, under the names that Distribution's have. Of `read`
 * it is the time until there is something to read; a listing is not measured, as its reader's own
 * time is in it.
 */
export function measuredStorage(
  storage: StorageDriver,
  driver: string,
): { storage: StorageDriver; read(): Metric[] } {
  const seconds = openHistogram(
    {
      ...{ name: "action", prometheus: "registry_storage_action_seconds", unit: "" },
      help: "The number of seconds that the storage action takes",
    },
    latencies,
  );
  const reader = timed("Reader");
  const getContent = timed("GetContent");
  const putContent = timed("PutContent");
  const writer = timed("Writer");
  const stat = timed("Stat");
  const move = timed("Move");
  const deletion = timed("Delete");

  return {
    storage: {
      ...storage,
      read: (path, call) => reader(() => storage.read(path, call)),
      readWhole: (path, call) => getContent(() => storage.readWhole(path, call)),
      write: (path, bytes, call) => putContent(() => storage.write(path, bytes, call)),
      append: (path, source, call) => writer(() => storage.append(path, source, call)),
      extend: (path, bytes, call) => writer(() => storage.extend(path, bytes, call)),
      stat: (path, call) => stat(() => storage.stat(path, call)),
      place(files, call) {
        const measured = files.some((file) => "from" in file) ? move : putContent;
        return measured(() => storage.place(files, call));
      },
      placeInTurn: (steps, call) => putContent(() => storage.placeInTurn(steps, call)),
      delete: (path, call) => deletion(() => storage.delete(path, call)),
      discard: (path, call) => deletion(() => storage.discard(path, call)),
    },
    read: () => [seconds.read()],
  };

  function timed(action: string) {
    const take = seconds.of({ action, driver });
    return async <Result>(work: () => Promise<Result>): Promise<Result> => {
      const begun = performance.now();
      try {
        return await work();
      } finally {
        take((performance.now() - begun) / 1000);
      }
    };
  }
}
