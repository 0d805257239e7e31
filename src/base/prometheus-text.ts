import type { Description, HistogramSeries, Labels, Metric } from "./instruments.ts";

/** Of `prometheusText`. */
export const prometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

/**
 * The text format of Prometheus, version 0.0.4, with names made as OpenTelemetry's translator makes
 * them: units are spelt out, and counters end in `_total`. `resource` becomes `target_info`, if given.
 */
export function prometheusText(metrics: readonly Metric[], resource?: Labels): string {
  const target: Metric = {
    ...{ name: "target.info", help: "Target metadata", unit: "", kind: "gauge" },
    series: resource === undefined ? [] : [{ labels: underscored(resource), value: 1 }],
  };
  return [...metrics, target]
    .filter(({ series }) => series.length > 0)
    .flatMap(linesOf)
    .map((line) => `${line}\n`)
    .join("");
}

function linesOf(metric: Metric): string[] {
  const name = prometheusName(metric, metric.kind);
  const head = [`# HELP ${name} ${escapedHelp(metric.help)}`, `# TYPE ${name} ${metric.kind}`];
  if (metric.kind === "histogram") {
    const { bounds, series } = metric;
    return [...head, ...series.flatMap((each) => histogramLines(name, bounds, each))];
  }
  const { series } = metric;
  return [...head, ...series.map(({ labels, value }) => sample(name, labels, value))];
}

function histogramLines(
  name: string,
  bounds: readonly number[],
  { labels, count, sum, buckets }: HistogramSeries,
): string[] {
  let below = 0;
  const within = bounds.map((bound, index) => {
    below += buckets[index] ?? 0;
    return sample(`${name}_bucket`, { ...labels, le: boundText(bound) }, below);
  });
  return [
    ...within,
    sample(`${name}_bucket`, { ...labels, le: "+Inf" }, count),
    sample(`${name}_sum`, labels, sum),
    sample(`${name}_count`, labels, count),
  ];
}

/** As Prometheus' client for Go writes it, since the text is what tells series apart. */
function boundText(bound: number): string {
  if (bound < 1e6) return String(bound);
  return bound.toExponential().replace(/e\+(\d)$/, "e+0$1");
}

function prometheusName({ name, unit, prometheus }: Description, kind: Metric["kind"]): string {
  if (prometheus !== undefined) return prometheus;
  const spelt = { s: "_seconds", By: "_bytes", "": "" }[unit];
  const base = name.replace(/\.total$/, "").replaceAll(/\W/g, "_");
  return `${base}${spelt}${kind === "counter" ? "_total" : ""}`;
}

function sample(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapedLabel(text)}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`;
}

function underscored(labels: Labels): Labels {
  const entries = Object.entries(labels);
  return Object.fromEntries(
    entries.map(([name, value]) => [name.replaceAll(/\W/g, "_").replace(/^(?=\d)/, "_"), value]),
  );
}

const escapedHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
const escapedLabel = (text: string): string => escapedHelp(text).replaceAll('"', '\\"');
