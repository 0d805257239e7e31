import type { IncomingMessage } from "node:http";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { type HttpClient, openHttpClient } from "../../base/http-client.ts";
import type { Logger } from "../../base/logger.ts";
import { postOtlp } from "../../base/otlp-post.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { type ServedSpan, servedSpan } from "./served-span.ts";
import { startSpanExport } from "./span-export.ts";
import { jsonEncoding, protobufEncoding } from "./span-request.ts";
import { traceparentOf } from "./trace-context.ts";
import { tracedHttp } from "./traced-http.ts";
import { tracedLogger } from "./traced-logger.ts";
import { tracedStorage } from "./traced-storage.ts";
import { openTracer, type Tracer } from "./tracer.ts";
import { readTracingOptions } from "./tracing-options.ts";

export interface TracingParts {
  clock: Clock;
  logger: Logger;
  environment: Environment;
  version: string;
}

/** Tells a collector what each request was made of. */
export interface Tracing {
  /** A request is about to be answered. */
  begun(request: IncomingMessage): ServedSpan;
  part: Tracer["part"];
  /** Of the request that is being answered here, for whoever goes on with it later. */
  traceparent(): string | undefined;
  storage(storage: StorageDriver, driver: string): StorageDriver;
  http(client: HttpClient): HttpClient;
  logger: Logger;
  /** Sends what is left. */
  close(call: Call): Promise<void>;
}

/**
 * `undefined` unless the variables of OpenTelemetry ask for traces; then nothing of this costs anything.
 *
 * @throws {ConfigError} naming the variable that cannot be meant
 */
export async function openTracing(parts: TracingParts): Promise<Tracing | undefined> {
  const { clock, logger, environment, version } = parts;
  const options = await readTracingOptions(environment);
  if (options === undefined) return undefined;
  const { secureContext, encoding } = options;
  const http = openHttpClient({ userAgent: `dewy/${version}`, environment, secureContext });
  const source = { resource: { ...options.resource, "service.version": version }, version };
  const encode = encoding === "json" ? jsonEncoding(source) : await protobufEncoding(source);
  const place = { ...options, what: "traces" };
  const sending = startSpanExport({
    send: (spans, call) => postOtlp(encode(spans), place, http, call, () => {}),
    ...{ clock, logger },
  });
  const tracer = openTracer(options.sample, sending.add);
  return {
    begun: (request) => servedSpan(tracer, request),
    part: tracer.part,
    traceparent() {
      const context = tracer.current();
      return context && traceparentOf(context);
    },
    storage: (storage, driver) => tracedStorage(storage, driver, tracer),
    http: (client) => tracedHttp(client, tracer),
    logger: tracedLogger(logger, tracer),
    async close(call) {
      await sending.close(call);
      http.close();
    },
  };
}
