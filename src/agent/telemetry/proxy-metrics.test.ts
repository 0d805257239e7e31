import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { prometheusText } from "../../base/prometheus-text.ts";
import type { PortStatistics } from "../proxy/port-counts.ts";
import { openAgentMetrics } from "./agent-metrics.ts";

const carried: PortStatistics = {
  ...{ port: 8080, backends: 3, active: 2, total: 9, errors: 1, refused: 4, bytes: 4096 },
  connects: { count: 1, sum: 0.002, buckets: [0, 1, ...Array<number>(9).fill(0)] },
  durations: { count: 1, sum: 7, buckets: [0, 0, 1, ...Array<number>(13).fill(0)] },
};

it("tells of the traffic by the original's names, each time all of it", () => {
  const metrics = openAgentMetrics(new FakeClock());
  const observe = metrics.observe({ app: "web", host: "h", mode: "container" });

  observe({ type: "traffic carried", ports: [{ ...carried, total: 5 }] });
  observe({ type: "traffic carried", ports: [carried] });

  const lines = prometheusText(metrics.read()).split("\n");
  const labels = 'app="web",proxy_port="8080"';
  for (const [name, value] of Object.entries({
    dewy_proxy_connections_total: 9,
    dewy_proxy_connections_active: 2,
    dewy_proxy_connections_refused_total: 4,
    dewy_proxy_bytes_transferred_total: 4096,
    dewy_proxy_errors_total: 1,
    dewy_proxy_backends: 3,
    dewy_proxy_connection_duration_seconds_sum: 7,
    dewy_proxy_connect_latency_seconds_count: 1,
  })) {
    expect(lines).toContain(`${name}{${labels}} ${value}`);
  }
  expect(lines).toContain(`dewy_proxy_connect_latency_seconds_bucket{${labels},le="0.005"} 1`);
});

it("tells nothing of an app whose traffic is not carried any more", () => {
  const metrics = openAgentMetrics(new FakeClock());
  const observe = metrics.observe({ app: "web", host: "h", mode: "container" });
  observe({ type: "traffic carried", ports: [carried] });

  observe({ type: "traffic carried", ports: [] });

  expect(prometheusText(metrics.read())).not.toContain("dewy_proxy");
});
