/** Names and values of what tells the series of one metric apart. */
export type Labels = Readonly<Record<string, string>>;

export interface Description {
  /** As OpenTelemetry writes it: `dewy.deployments.total`. */
  name: string;
  help: string;
  /** A unit of UCUM, or none. */
  unit: "s" | "By" | "";
  /** Where Prometheus knows it by a name that does not follow from `name` and `unit`. */
  prometheus?: string;
}

export interface NumberSeries {
  labels: Labels;
  value: number;
}

export interface HistogramSeries {
  labels: Labels;
  count: number;
  sum: number;
  /** How many values lie in each bucket alone; one more than there are bounds. */
  buckets: readonly number[];
}

/** A metric as it is at one moment. Counters and histograms count from the start of the process. */
export type Metric = Description &
  (
    | { kind: "counter" | "gauge"; series: readonly NumberSeries[] }
    | { kind: "histogram"; bounds: readonly number[]; series: readonly HistogramSeries[] }
  );

export interface Counter {
  /** With 0, the series is there before anything is counted. */
  add(labels: Labels, value: number): void;
  read(): Metric;
}

export interface Gauge {
  set(labels: Labels, value: number): void;
  /** Ends the series of which `labels` is a part, or all of it. */
  clear(labels: Labels): void;
  read(): Metric;
}

export interface Histogram {
  record(labels: Labels, value: number): void;
  read(): Metric;
}

export function openCounter(description: Description): Counter {
  const kept = new Map<string, NumberSeries>();
  return {
    add(labels, value) {
      const key = keyOf(labels);
      kept.set(key, { labels, value: (kept.get(key)?.value ?? 0) + value });
    },
    read: () => ({ ...description, kind: "counter", series: [...kept.values()] }),
  };
}

export function openGauge(description: Description): Gauge {
  const kept = new Map<string, NumberSeries>();
  return {
    set: (labels, value) => void kept.set(keyOf(labels), { labels, value }),
    clear(labels) {
      const wanted = Object.entries(labels);
      for (const [key, series] of kept) {
        if (wanted.every(([name, value]) => series.labels[name] === value)) kept.delete(key);
      }
    },
    read: () => ({ ...description, kind: "gauge", series: [...kept.values()] }),
  };
}

/** `bounds` rise; a value that equals one lies below it. */
export function openHistogram(description: Description, bounds: readonly number[]): Histogram {
  const kept = new Map<string, HistogramSeries>();
  return {
    record(labels, value) {
      const key = keyOf(labels);
      const { count, sum, buckets } = kept.get(key) ?? {
        count: 0,
        sum: 0,
        buckets: Array<number>(bounds.length + 1).fill(0),
      };
      const found = bounds.findIndex((bound) => value <= bound);
      const index = found === -1 ? bounds.length : found;
      kept.set(key, {
        labels,
        count: count + 1,
        sum: sum + value,
        buckets: buckets.map((inside, at) => (at === index ? inside + 1 : inside)),
      });
    },
    read: () => ({ ...description, kind: "histogram", bounds, series: [...kept.values()] }),
  };
}

const keyOf = (labels: Labels): string => JSON.stringify(Object.entries(labels).toSorted());
