import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Labels, Metric } from "../../base/instruments.ts";
import { aggregationTemporality, type RequestSchema } from "./otlp-schema.ts";

/** What goes to the collector: `create(RequestSchema, …)` makes a message of it. */
export type OtlpRequest = MessageInitShape<typeof RequestSchema>;

export interface OtlpMoment {
  resource: Labels;
  version: string;
  startedAt: Date;
  now: Date;
}

/** The original's meter. */
const scopeName = "github.com/linyows/dewy";

/** Everything since the start of the process, in the words of OTLP. */
export function otlpRequest(metrics: readonly Metric[], moment: OtlpMoment): OtlpRequest {
  const { resource, version } = moment;
  const filled = metrics.filter(({ series }) => series.length > 0);
  return {
    resourceMetrics: [
      {
        resource: { attributes: attributesOf(resource) },
        scopeMetrics: [
          {
            scope: { name: scopeName, version },
            metrics: filled.map((metric) => metricOf(metric, moment)),
          },
        ],
      },
    ],
  };
}

function metricOf(metric: Metric, { startedAt, now }: OtlpMoment) {
  const { name, help: description, unit } = metric;
  const times = { startTimeUnixNano: nanos(startedAt), timeUnixNano: nanos(now) };
  return { name, description, unit, data: dataOf(metric, times) };
}

interface Times {
  startTimeUnixNano: bigint;
  timeUnixNano: bigint;
}

function dataOf(metric: Metric, times: Times) {
  if (metric.kind === "histogram") {
    const dataPoints = metric.series.map(({ labels, count, sum, buckets }) => ({
      ...times,
      ...{ attributes: attributesOf(labels), count: BigInt(count), sum },
      ...{ bucketCounts: buckets.map(BigInt), explicitBounds: [...metric.bounds] },
    }));
    return { case: "histogram", value: { dataPoints, aggregationTemporality } } as const;
  }
  const dataPoints = metric.series.map(({ labels, value }) => ({
    ...times,
    ...{ attributes: attributesOf(labels), asDouble: value },
  }));
  if (metric.kind === "gauge") return { case: "gauge", value: { dataPoints } } as const;
  const value = { dataPoints, aggregationTemporality, isMonotonic: true };
  return { case: "sum", value } as const;
}

function attributesOf(labels: Labels) {
  return Object.entries(labels).map(([key, value]) => ({
    key,
    value: { value: { case: "stringValue", value } as const },
  }));
}

const nanos = (date: Date): bigint => BigInt(date.getTime()) * 1_000_000n;
