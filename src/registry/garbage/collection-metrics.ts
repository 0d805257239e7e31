import { type Metric, openCounter, openHistogram } from "../../base/instruments.ts";
import type { CollectionState } from "./collections.ts";

export interface CollectionMetrics {
  /** A collection is over; a dry run is none. */
  ended(state: CollectionState): void;
  read(): Metric[];
}

const seconds = [1, 5, 15, 60, 300, 900, 3_600, 14_400];

/** Collections of this process. What one has removed is counted when it has ended well. */
export function openCollectionMetrics(): CollectionMetrics {
  const runs = openCounter({
    ...{ name: "collections", prometheus: "registry_garbage_collections_total", unit: "" },
    help: "Garbage collections, by how they ended",
  });
  const durations = openHistogram(
    {
      ...{ name: "duration", prometheus: "registry_garbage_collection_duration_seconds" },
      ...{ help: "How long garbage collections took", unit: "s" },
    },
    seconds,
  );
  const removed = openCounter({
    ...{ name: "removed", prometheus: "registry_garbage_removed_total", unit: "" },
    help: "What garbage collections have removed",
  });
  const freed = openCounter({
    ...{ name: "freed", prometheus: "registry_garbage_freed_bytes_total", unit: "By" },
    help: "The bytes of the blobs that garbage collections have removed",
  });
  for (const status of ["ended", "failed", "interrupted"]) runs.add({ status }, 0);
  for (const kind of ["manifest", "layer_link", "blob"]) removed.add({ kind }, 0);
  freed.add({}, 0);
  return {
    ended({ status, dryRun, beganAt, endedAt = beganAt, totals }) {
      if (dryRun || status === "running") return;
      runs.add({ status }, 1);
      durations.record({}, (endedAt.getTime() - beganAt.getTime()) / 1000);
      if (status !== "ended") return;
      removed.add({ kind: "manifest" }, totals.manifests);
      removed.add({ kind: "layer_link" }, totals.layerLinks);
      removed.add({ kind: "blob" }, totals.blobs);
      freed.add({}, totals.bytes);
    },
    read: () => [runs, durations, removed, freed].map((instrument) => instrument.read()),
  };
}
