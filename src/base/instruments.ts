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

/** Takes one value for a series that was named before: nothing is looked up or made. */
export type Take = (value: number) => void;

export interface Counter {
  /** With 0, the series is there before anything is counted. */
  add(labels: Labels, value: number): void;
  /** `add` for one series, which need not be found each time. */
  of(labels: Labels): Take;
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
  /** `record` for one series, which need not be found each time. */
  of(labels: Labels): Take;
  read(): Metric;
}

export function openCounter(description: Description): Counter {
  const kept = new Map<string, { labels: Labels; value: number }>();
  const of = (labels: Labels): Take => {
    const series = found(kept, labels, () => ({ labels, value: 0 }));
    return (value) => {
      series.value += value;
    };
  };
  return {
    of,
    add: (labels, value) => of(labels)(value),
    read: () => ({ ...description, kind: "counter", series: [...kept.values()].map(copied) }),
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
  const kept = new Map<string, { labels: Labels; count: number; sum: number; buckets: number[] }>();
  const begun = (labels: Labels) => () => ({
    ...{ labels, count: 0, sum: 0 },
    buckets: Array<number>(bounds.length + 1).fill(0),
  });
  const of = (labels: Labels): Take => {
    const series = found(kept, labels, begun(labels));
    return (value) => {
      let index = 0;
      while (index < bounds.length && value > (bounds[index] ?? 0)) index++;
      series.count += 1;
      series.sum += value;
      series.buckets[index] = (series.buckets[index] ?? 0) + 1;
    };
  };
  return {
    of,
    record: (labels, value) => of(labels)(value),
    read: () => ({
      ...description,
      ...{ kind: "histogram", bounds },
      series: [...kept.values()].map((one) => ({ ...one, buckets: [...one.buckets] })),
    }),
  };
}

function found<Series>(kept: Map<string, Series>, labels: Labels, begin: () => Series): Series {
  const key = keyOf(labels);
  const known = kept.get(key);
  if (known !== undefined) return known;
  const series = begin();
  kept.set(key, series);
  return series;
}

const copied = <Series extends object>(series: Series): Series => ({ ...series });
const keyOf = (labels: Labels): string => JSON.stringify(Object.entries(labels).toSorted());
