import type { HistogramSeries, Metric } from "../../base/instruments.ts";
import {
  connectBounds,
  type Distribution,
  durationBounds,
  type PortStatistics,
} from "../proxy/port-counts.ts";

/** What the proxies of all apps have carried: counted by them, and only passed on here. */
export interface ProxyMetrics {
  take(app: string, ports: readonly PortStatistics[]): void;
  read(): Metric[];
}

interface Row {
  labels: { app: string; proxy_port: string };
  port: PortStatistics;
}

export function openProxyMetrics(): ProxyMetrics {
  const taken = new Map<string, readonly PortStatistics[]>();
  return {
    take: (app, ports) => void taken.set(app, ports),
    read() {
      const rows = [...taken].flatMap(([app, ports]) =>
        ports.map((port): Row => ({ labels: { app, proxy_port: String(port.port) }, port })),
      );
      return [...numbers(rows), ...histograms(rows)];
    },
  };
}

function numbers(rows: readonly Row[]): Metric[] {
  const of = (read: (port: PortStatistics) => number | undefined) =>
    rows.flatMap(({ labels, port }) => {
      const value = read(port);
      return value === undefined ? [] : [{ labels, value }];
    });
  return [
    {
      name: "dewy.proxy.connections.total",
      help: "Connections to the containers' ports.",
      ...{ unit: "", kind: "counter", series: of(({ total }) => total) },
    },
    {
      name: "dewy.proxy.connections.active",
      help: "Connections that are open.",
      ...{ unit: "", kind: "gauge", series: of(({ active }) => active) },
    },
    {
      name: "dewy.proxy.connections.refused.total",
      help: "Connections over the limit.",
      ...{ unit: "", kind: "counter", series: of(({ refused }) => refused) },
    },
    {
      name: "dewy.proxy.bytes.transferred",
      help: "Bytes that were carried, both ways.",
      prometheus: "dewy_proxy_bytes_transferred_total",
      ...{ unit: "By", kind: "counter", series: of(({ bytes }) => bytes) },
    },
    {
      name: "dewy.proxy.errors.total",
      help: "Connections that no container accepted, or that one broke off.",
      ...{ unit: "", kind: "counter", series: of(({ errors }) => errors) },
    },
    {
      name: "dewy.proxy.backends",
      help: "Containers that connections go to.",
      ...{ unit: "", kind: "gauge", series: of(({ backends }) => backends) },
    },
  ];
}

function histograms(rows: readonly Row[]): Metric[] {
  const of = (value: (port: PortStatistics) => Distribution | undefined): HistogramSeries[] =>
    rows.flatMap(({ labels, port }) => {
      const found = value(port);
      return found ? [{ labels, ...found }] : [];
    });
  return [
    {
      name: "dewy.proxy.connection.duration",
      help: "How long a connection lasted.",
      ...{ unit: "s", kind: "histogram", bounds: durationBounds },
      series: of(({ durations }) => durations),
    },
    {
      name: "dewy.proxy.connect.latency",
      help: "Time until a container accepted.",
      ...{ unit: "s", kind: "histogram", bounds: connectBounds },
      series: of(({ connects }) => connects),
    },
  ];
}
