import type { Metric } from "../../base/instruments.ts";
import type { MirrorCounts, TransferCounts } from "./mirror-counts.ts";

const described: readonly [keyof TransferCounts, name: string, help: string][] = [
  ["requests", "requests", "The number of total incoming proxy request received"],
  ["hits", "hits", "The number of total proxy request hits"],
  ["misses", "misses", "The number of total proxy request misses"],
  ["pulledBytes", "pulled_bytes", "The size of total bytes pulled from the upstream"],
  ["pushedBytes", "pushed_bytes", "The size of total bytes pushed to the client"],
];

/** `counts` under Distribution's names. */
export function mirrorMetrics(counts: MirrorCounts): Metric[] {
  return described.map(([key, name, help]) => ({
    ...{ name, help, unit: "", prometheus: `registry_proxy_${name}_total` },
    kind: "counter",
    series: (["blob", "manifest"] as const).map((type) => ({
      labels: { type },
      value: counts[type][key],
    })),
  }));
}
