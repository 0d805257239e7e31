import { createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { gunzipSync } from "node:zlib";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import type { Environment } from "../../base/environment.ts";
import { bodyOf, serve } from "../../base/local-server.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import type { AppIdentity } from "../event.ts";
import { MetricsService, RequestSchema } from "./otlp-schema.ts";
import { openTelemetry } from "./telemetry.ts";

const web: AppIdentity = { app: "web", host: "h", mode: "server" };

describe("telemetry", () => {
  it("has the process beside the apps, and needs no collector", async ({ signal }) => {
    const telemetry = await open(undefined);
    telemetry.observe(web)({ type: "polled", durationMs: 1, tag: "v1" });

    const text = await telemetry.prometheus();
    await telemetry.close({ signal });

    expect(text).toMatch(/^process_resident_memory_bytes \d{7,}$/m);
    expect(text).toMatch(/^process_cpu_seconds_total [\d.]+$/m);
    expect(text).toContain('target_info{service_name="dewy",service_version="1.2.3"} 1\n');
    expect(text).toContain('dewy_polls_total{app="web"} 1\n');
  });

  it.each(["none", "gzip"])("sends by gRPC, compression %s", async (compression) => {
    const collector = await serveGrpc();
    const telemetry = await open(collector.authority, {
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20hunter22",
      OTEL_EXPORTER_OTLP_COMPRESSION: compression,
    });
    telemetry.observe(web)({ type: "polled", durationMs: 300, tag: "v1" });

    await telemetry.close({ signal: AbortSignal.timeout(5_000) });

    expect(collector.authorizations).toEqual(["Bearer hunter22"]);
    const [request] = collector.requests;
    if (!request) throw new Error("nothing arrived");
    expectPolls(request);
  });

  it.each(["none", "gzip"])("sends by HTTP, compression %s", async (compression) => {
    const bodies: Buffer[] = [];
    const { url } = await serve(async (request, response) => {
      const body = await bodyOf(request);
      bodies.push(request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body);
      expect(request.url).toBe("/v1/metrics");
      expect(request.headers["content-type"]).toBe("application/x-protobuf");
      response.end();
    });
    const telemetry = await open(url.href, { OTEL_EXPORTER_OTLP_COMPRESSION: compression });
    telemetry.observe(web)({ type: "polled", durationMs: 300, tag: "v1" });

    await telemetry.close({ signal: AbortSignal.timeout(5_000) });

    expect(bodies).toHaveLength(1);
    expectPolls(bodies[0] ?? Buffer.alloc(0));
  });

  it("shows no header in the log when the collector refuses them", async () => {
    const collector = await serveGrpc(new ConnectError("bad token hunter22", Code.Unauthenticated));
    const logger = new FakeLogger();
    const environment = { OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20hunter22" };
    const telemetry = await open(collector.authority, environment, logger);

    await telemetry.close({ signal: AbortSignal.timeout(5_000) });

    const [line] = logger.lines.filter(({ level }) => level === "warn");
    expect(line?.message).toBe("Metrics could not be sent");
    expect(line?.fields.error).toMatchObject({
      code: "REFUSED",
      message: expect.stringContaining("Unauthenticated"),
      hint: expect.stringContaining("OTEL_EXPORTER_OTLP_HEADERS"),
    });
    expect(inspect(line, { depth: 9 })).not.toContain("hunter22");
  });

  it.each([
    ["HTTP", (port: number) => `http://127.0.0.1:${port}/`],
    ["gRPC", (port: number) => `127.0.0.1:${port}`],
  ])("only logs that nobody listens, by %s", async (_name, endpointAt) => {
    const { url, server } = await serve(() => {});
    await new Promise((resolve) => server.close(resolve));
    const logger = new FakeLogger();
    const telemetry = await open(endpointAt(Number(url.port)), {}, logger);

    await telemetry.close({ signal: AbortSignal.timeout(5_000) });

    expect(logger.lines).toMatchObject([
      { level: "warn", fields: { error: { code: "UNREACHABLE", hint: expect.any(String) } } },
    ]);
  });
});

/** What a collector makes of the bytes. */
function expectPolls(bytes: Uint8Array): void {
  const { resourceMetrics } = fromBinary(RequestSchema, bytes);
  expect(resourceMetrics[0]?.resource?.attributes).toMatchObject([
    { key: "service.name", value: { value: { value: "dewy" } } },
    { key: "service.version", value: { value: { value: "1.2.3" } } },
    { key: "host.name" },
  ]);
  const { scope, metrics = [] } = resourceMetrics[0]?.scopeMetrics[0] ?? {};
  expect(scope).toMatchObject({ name: "github.com/linyows/dewy", version: "1.2.3" });
  const polls = metrics.find(({ name }) => name === "dewy.polls.total");
  expect(polls?.data).toMatchObject({
    case: "sum",
    value: { isMonotonic: true, aggregationTemporality: 2, dataPoints: [{ asDouble: 1 }] },
  });
  // A 0 is a value, and not the absence of one.
  const errors = metrics.find(({ name }) => name === "dewy.poll.errors.total");
  expect(errors?.data).toMatchObject({ value: { dataPoints: [{ asDouble: 0 }] } });
  const duration = metrics.find(({ name }) => name === "dewy.poll.duration");
  expect(duration).toMatchObject({ unit: "s", data: { case: "histogram" } });
}

async function open(
  endpoint: string | undefined,
  environment: Environment = {},
  logger = new FakeLogger(),
) {
  const insecure = endpoint !== undefined && !endpoint.startsWith("http");
  const parts = { clock: new FakeClock(), logger, environment };
  return openTelemetry({ endpoint, insecure, version: "1.2.3" }, parts);
}

async function serveGrpc(refusal?: ConnectError) {
  const requests: Uint8Array[] = [];
  const authorizations: (string | null)[] = [];
  const server: Http2Server = createServer(
    connectNodeAdapter({
      routes(router) {
        router.service(MetricsService, {
          export(request, context) {
            authorizations.push(context.requestHeader.get("authorization"));
            requests.push(toBinary(RequestSchema, request));
            if (refusal) throw refusal;
            return {};
          },
        });
      },
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const authority = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { authority, requests, authorizations };
}
