import type { IncomingMessage } from "node:http";
import { type Metric, openCounter, openHistogram, type Take } from "../../base/instruments.ts";
import type { Route } from "../api/routes.ts";

/** What is counted of a request that is over. */
export interface MeasuredRequest {
  request: IncomingMessage;
  status: number;
  /** Of the body that was sent. */
  size: number;
  durationMs: number;
}

export interface HttpMetrics {
  /** A request begins; what this returns is told of its end. Nothing is counted for no resource. */
  begun(route: Route | undefined): ((end: MeasuredRequest) => void) | undefined;
  read(): Metric[];
}

/** What Distribution calls the resources; it knows of no referrers. */
const handlers: Record<Route["kind"], string | undefined> = {
  root: undefined,
  token: undefined,
  base: "base",
  catalog: "catalog",
  tags: "tags",
  manifest: "manifest",
  blob: "blob",
  uploads: "blob_upload",
  upload: "blob_upload_chunk",
  referrers: "referrers",
  repositories: "repositories",
  repository: "repository",
  history: "tag_history",
  quotas: "quotas",
  collections: "garbage_collections",
  collection: "garbage_collection",
  scrubs: "scrubs",
  scrub: "scrub",
};

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const latencies = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60];
const sizes = Array.from({ length: 22 }, (_, power) => 1024 * 2 ** power);

/** Requests under Distribution's names. */
export function openHttpMetrics(): HttpMetrics {
  const meters = openMeters();
  const inFlight = new Map<string, number>();
  for (const handler of Object.values(handlers)) if (handler) inFlight.set(handler, 0);
  const add = (handler: string, change: 1 | -1) =>
    inFlight.set(handler, (inFlight.get(handler) ?? 0) + change);

  return {
    begun(route) {
      const handler = route && handlers[route.kind];
      if (handler === undefined) return undefined;
      add(handler, 1);
      return (end) => {
        add(handler, -1);
        meters.take(handler, end);
      };
    },
    read: () => [inFlightMetric(inFlight), ...meters.read()],
  };
}

interface Series {
  duration: Take;
  request: Take;
  response: Take;
  codes: Map<number, Take>;
}

function openMeters() {
  const durations = openHistogram(
    described("request_duration_seconds", "The HTTP request latencies in seconds."),
    latencies,
  );
  const requests = openHistogram(
    described("request_size_bytes", "The HTTP request sizes in bytes."),
    sizes,
  );
  const responses = openHistogram(
    described("response_size_bytes", "The HTTP response sizes in bytes."),
    sizes,
  );
  const total = openCounter(described("requests_total", "Total number of HTTP requests made."));
  const known = new Map<string, Series>();

  return {
    take(handler: string, { request, status, size, durationMs }: MeasuredRequest): void {
      const name = request.method ?? "";
      const method = methods.has(name) ? name.toLowerCase() : "unknown";
      const series = seriesOf(handler, method);
      series.duration(durationMs / 1000);
      series.request(sizeOf(request));
      series.response(size);
      codeOf(series, { code: String(status), handler, method }, status)(1);
    },
    read: () => [durations, requests, total, responses].map((instrument) => instrument.read()),
  };

  function seriesOf(handler: string, method: string): Series {
    const key = `${handler} ${method}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    const series = {
      duration: durations.of({ handler, method }),
      request: requests.of({ handler }),
      response: responses.of({ handler }),
      codes: new Map(),
    };
    known.set(key, series);
    return series;
  }

  function codeOf(
    { codes }: Series,
    labels: { code: string; handler: string; method: string },
    status: number,
  ): Take {
    const found = codes.get(status);
    if (found !== undefined) return found;
    const take = total.of(labels);
    codes.set(status, take);
    return take;
  }
}

/** As Prometheus' own client for Go reckons it: the head as it is written, and the announced body. */
function sizeOf({ method = "", url = "", rawHeaders, headers }: IncomingMessage): number {
  let size = method.length + url.length + "HTTP/1.1".length;
  for (const text of rawHeaders) size += text.length;
  return size + (Number(headers["content-length"]) || 0);
}

function inFlightMetric(inFlight: ReadonlyMap<string, number>): Metric {
  return {
    ...described("in_flight_requests", "The in-flight HTTP requests"),
    kind: "gauge",
    series: [...inFlight].map(([handler, value]) => ({ labels: { handler }, value })),
  };
}

function described(name: string, help: string) {
  return { name, help, unit: "" as const, prometheus: `registry_http_${name}` };
}
