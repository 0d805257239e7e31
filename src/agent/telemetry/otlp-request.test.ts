import { create, toBinary } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { otlpRequest } from "./otlp-request.ts";
import { RequestSchema } from "./otlp-schema.ts";

const moment = { resource: {}, version: "1", startedAt: new Date(1), now: new Date(2) };

/** As Python's opentelemetry-proto reads it. */
it("writes a counter, zero included, as opentelemetry-proto has it", () => {
  const metric = {
    ...({ name: "n", help: "h", unit: "s", kind: "counter" } as const),
    series: [{ labels: { a: "b" }, value: 0 }],
  };

  const point = [
    "1140420f0000000000", // start_time_unix_nano = 2, fixed64
    "1980841e0000000000", // time_unix_nano = 3, fixed64
    "210000000000000000", // as_double = 4
    "3a080a016112030a0162", // attributes = 7
  ].join("");
  const sum = `3a2b0a25${point}10021801`; // sum = 7: data_points, cumulative, monotonic
  const named = `0a016e1201681a0173${sum}`; // name, description, unit
  expect(hex([metric])).toContain(`1236${named}`); // metrics = 2
});

it("leaves out a metric that has no series", () => {
  const metric = { name: "empty", help: "", unit: "", kind: "gauge", series: [] } as const;

  expect(hex([metric])).not.toContain(Buffer.from("empty").toString("hex"));
});

it("writes each bucket of a histogram by itself", () => {
  const series = [{ labels: {}, count: 3, sum: 12, buckets: [1, 0, 2] }];
  const metric = {
    name: "n",
    help: "",
    unit: "s",
    kind: "histogram",
    bounds: [1, 5],
    series,
  } as const;

  const { data } =
    otlpRequest([metric], moment).resourceMetrics?.[0]?.scopeMetrics?.[0]?.metrics?.[0] ?? {};

  expect(data).toMatchObject({
    case: "histogram",
    value: {
      aggregationTemporality: 2,
      dataPoints: [{ count: 3n, sum: 12, bucketCounts: [1n, 0n, 2n], explicitBounds: [1, 5] }],
    },
  });
});

function hex(metrics: Parameters<typeof otlpRequest>[0]): string {
  const message = create(RequestSchema, otlpRequest(metrics, moment));
  return Buffer.from(toBinary(RequestSchema, message)).toString("hex");
}
