import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import type { AccessEntry } from "../api/access-log.ts";
import { parseRegistryConfig } from "../config.ts";
import { openReceiver } from "../events/receiver.fake.ts";
import { serveFakeUpstream } from "../mirror/upstream.fake.ts";
import { openRegistry } from "../registry.ts";
import { pushImage } from "../served-registry.fake.ts";
import { serveFakeCollector } from "./collector.fake.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const parentId = "b7ad6b7169203331";
const from = (flags: string) => ({ traceparent: `00-${traceId}-${parentId}-${flags}` });
const [server, client, internal] = [2, 3, 1];

it.each(["http/protobuf", "http/json"])(
  "tells a collector of each request, by %s",
  async (protocol) => {
    const collector = await serveFakeCollector();
    const { address, close, accesses } = await opened({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20t",
      OTEL_SERVICE_NAME: "images",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=a%20b",
    });
    await pushImage(address, "team/app", "v1");

    const headers = { ...from("01"), tracestate: "a=1", "user-agent": "docker/27" };
    const answer = await fetch(`${address}/v2/team/app/manifests/v1?ns=x`, { headers });
    await answer.arrayBuffer();
    await close();

    expect(collector.headers[0]).toMatchObject({ authorization: "Bearer t" });
    expect(collector.resource).toMatchObject({
      ...{ "service.name": "images", "service.version": "1.2.3" },
      "deployment.environment.name": "a b",
    });
    const [pull] = collector.named("GET /v2/{name}/manifests/{reference}");
    expect(pull).toMatchObject({
      ...{ traceId, parentSpanId: parentId, traceState: "a=1", kind: server, isFailed: false },
      spanId: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    expect(pull?.attributes).toMatchObject({
      "http.request.method": "GET",
      "http.route": "/v2/{name}/manifests/{reference}",
      "http.response.status_code": 200,
      "url.path": "/v2/team/app/manifests/v1",
      "url.scheme": "http",
      "network.protocol.version": "1.1",
      "server.address": "127.0.0.1",
      "server.port": Number(new URL(address).port),
      "client.address": expect.stringMatching(/^127\.0\.0\.1/),
      "user_agent.original": "docker/27",
    });
    expect(pull?.durationNanos).toBeGreaterThan(0);
    const parts = collector.spans.filter(({ parentSpanId }) => parentSpanId === pull?.spanId);
    expect(parts.map(({ name }) => name)).toContain("authorize");
    expect(parts.map(({ name }) => name)).toContain("storage readWhole");
    expect(new Set(parts.map(({ kind }) => kind))).toEqual(new Set([internal]));
    expect(collector.named("PUT /v2/{name}/manifests/{reference}")).toHaveLength(1);
    expect(accesses.at(-1)?.trace).toMatchObject({ traceId, spanId: pull?.spanId });
  },
);

it("does what whoever asks has decided, and by itself what the sampler says", async () => {
  const collector = await serveFakeCollector();
  const { address, close } = await opened({
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/own/path`,
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0",
  });

  for (const headers of [{}, from("00"), from("01")]) await fetch(`${address}/v2/`, { headers });
  await close();

  expect(collector.named("GET /v2/").map((span) => span.traceId)).toEqual([traceId]);
});

it("marks what failed, and names no resource that there is not", async () => {
  const collector = await serveFakeCollector();
  const { address, close } = await opened({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });

  await fetch(`${address}/nowhere`, { method: "PROPFIND" });
  await fetch(`${address}/v2/a/manifests/absent`);
  await close();

  expect(collector.named("HTTP")[0]?.attributes).toMatchObject({
    "http.request.method": "_OTHER",
    "http.request.method_original": "PROPFIND",
    "http.response.status_code": 404,
  });
  const [absent] = collector.named("GET /v2/{name}/manifests/{reference}");
  expect(absent).toMatchObject({ isFailed: false });
  expect(absent?.attributes["error.type"]).toBeUndefined();
});

it("passes the trace on to upstreams, as a part of the request", async () => {
  const collector = await serveFakeCollector();
  const upstream = await serveFakeUpstream();
  upstream.image("app", "v1", Buffer.from("layer"));
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  const { address, close } = await opened(environment, `proxy: {remoteurl: "${upstream.url}"}`);

  const answer = await fetch(`${address}/v2/app/manifests/v1`, { headers: from("01") });
  await answer.arrayBuffer();
  expect(answer.status).toBe(200);
  await close();

  const asked = collector.spans.filter(({ kind }) => kind === client);
  expect(asked.length).toBeGreaterThan(0);
  expect(new Set(asked.map((span) => span.traceId))).toEqual(new Set([traceId]));
  expect(upstream.traces).toContain(`00-${traceId}-${asked[0]?.spanId}-01`);
  expect(asked[0]?.attributes).toMatchObject({
    "http.request.method": expect.any(String),
    "server.address": "127.0.0.1",
    "url.full": expect.stringContaining(`${upstream.url}/v2/`),
  });
});

it("passes the trace on to endpoints of notifications, and shows them nothing else of it", async () => {
  const collector = await serveFakeCollector();
  const receiver = await openReceiver();
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  const endpoint = `{name: e, url: "${receiver.url}"}`;
  const { address, close } = await opened(environment, `notifications: {endpoints: [${endpoint}]}`);

  await pushImage(address, "team/app", "v1");
  await expect.poll(() => receiver.all.length).toBe(2);
  await close();

  const posts = collector.named("POST").filter(({ kind }) => kind === client);
  const [push] = collector.named("PUT /v2/{name}/manifests/{reference}");
  const [, told] = receiver.all;
  const post = posts.find((span) => span.traceId === push?.traceId);
  expect(post?.parentSpanId).toBe(push?.spanId);
  expect(told?.headers.traceparent).toBe(`00-${push?.traceId}-${post?.spanId}-01`);
  expect(told?.body).not.toContain("traceparent");
});

it("goes on without the collector, says so once, and sends what it kept", async () => {
  const collector = await serveFakeCollector();
  collector.replies = [{ status: 503, headers: { "retry-after": "1" } }];
  const { address, close, logger } = await opened({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });

  for (let request = 0; request < 600; request++) await fetch(`${address}/v2/`);
  await expect.poll(() => logger.messages("warn"), { timeout: 10_000 }).toHaveLength(1);
  await close();

  expect(logger.messages("warn")).toEqual(["traces could not be sent"]);
  expect(logger.messages("info")).toContain("traces are sent again");
  expect(collector.named("GET /v2/")).toHaveLength(600);
});

it.each([
  {},
  { OTEL_TRACES_EXPORTER: "none", OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" },
  { OTEL_SDK_DISABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" },
])("traces nothing with %j", async (environment) => {
  const { address, close, accesses, logger } = await opened(environment);

  await fetch(`${address}/v2/`, { headers: from("01") });
  await close();

  expect(accesses[0]?.trace).toBeUndefined();
  expect(logger.messages("warn")).toEqual([]);
});

it.each([
  [{ OTEL_TRACES_EXPORTER: "zipkin" }, "OTEL_TRACES_EXPORTER"],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" }, "OTEL_EXPORTER_OTLP_ENDPOINT is no URL"],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://a:b@c" }, "no credentials may stand in it"],
  [{ OTEL_TRACES_EXPORTER: "otlp", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, "does not speak grpc"],
  [{ OTEL_TRACES_EXPORTER: "otlp", OTEL_TRACES_SAMPLER: "jaeger_remote" }, "OTEL_TRACES_SAMPLER"],
  [
    {
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_TRACES_SAMPLER: "traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "2",
    },
    "OTEL_TRACES_SAMPLER_ARG is no ratio",
  ],
  [{ OTEL_TRACES_EXPORTER: "otlp", OTEL_RESOURCE_ATTRIBUTES: "a" }, "OTEL_RESOURCE_ATTRIBUTES"],
])("does not start with %j", async (environment, message) => {
  await expect(opened(environment)).rejects.toMatchObject({
    code: "INVALID",
    message: expect.stringContaining(message),
    hint: expect.any(String),
  });
});

async function opened(environment: Record<string, string>, more = "") {
  const rootdirectory = await mkdtemp(join(tmpdir(), "dewy-tracing-"));
  onTestFinished(() => rm(rootdirectory, { recursive: true, force: true }));
  const text = `version: 0.1\nstorage: {filesystem: {rootdirectory: ${rootdirectory}}}\nhttp: {addr: "127.0.0.1:0"}\n${more}\n`;
  const config = parseRegistryConfig({ file: "config.yml", text, environment: {} });
  const [accesses, logger]: [AccessEntry[], FakeLogger] = [[], new FakeLogger()];
  const accessLog = { write: (entry: AccessEntry) => void accesses.push(entry) };
  const parts = { clock: systemClock, logger, accessLog, environment, version: "1.2.3" };
  const registry = await openRegistry(config, parts);
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= registry.close({ signal: AbortSignal.timeout(10_000) });
    return closing;
  };
  onTestFinished(close);
  return { address: registry.address, close, accesses, logger };
}
