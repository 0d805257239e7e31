import { expect, it } from "vitest";
import { prometheusText } from "../../base/prometheus-text.ts";
import { openCollectionMetrics } from "./collection-metrics.ts";
import type { CollectionState } from "./collections.ts";
import { nothingYet } from "./garbage-event.ts";

const state: CollectionState = {
  ...{ id: "1", dryRun: false, deleteUntagged: true, actor: undefined, problem: undefined },
  ...{ beganAt: new Date(0), endedAt: new Date(2_500), repositories: 1, items: [] },
  totals: { ...nothingYet, manifests: 2, layerLinks: 3, blobs: 4, bytes: 500 },
  status: "ended",
};

it("counts what collections have removed, how long they took and how they ended", () => {
  const metrics = openCollectionMetrics();

  metrics.ended(state);
  metrics.ended({ ...state, status: "failed" });
  metrics.ended({ ...state, dryRun: true });

  const text = prometheusText(metrics.read());
  expect(text).toContain('registry_garbage_collections_total{status="ended"} 1');
  expect(text).toContain('registry_garbage_collections_total{status="failed"} 1');
  expect(text).toContain('registry_garbage_collections_total{status="interrupted"} 0');
  expect(text).toContain('registry_garbage_removed_total{kind="manifest"} 2');
  expect(text).toContain('registry_garbage_removed_total{kind="layer_link"} 3');
  expect(text).toContain('registry_garbage_removed_total{kind="blob"} 4');
  expect(text).toContain("registry_garbage_freed_bytes_total 500");
  expect(text).toContain("registry_garbage_collection_duration_seconds_sum 5");
});
