import { hostname } from "node:os";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import type { Metric } from "../../base/instruments.ts";
import type { Logger } from "../../base/logger.ts";
import { readProcessMetrics } from "../../base/process-metrics.ts";
import { prometheusText } from "../../base/prometheus-text.ts";
import type { AppIdentity, Observe } from "../event.ts";
import { openAgentMetrics } from "./agent-metrics.ts";
import type { OtlpExport } from "./otlp-export.ts";
import type { OtlpSender } from "./otlp-sender.ts";
import type { OtlpTarget } from "./otlp-target.ts";

export interface TelemetryOptions {
  /** `--otlp-endpoint`; without it metrics are there to be scraped only. */
  endpoint?: string | undefined;
  /** `--otlp-insecure` */
  insecure: boolean;
  version: string;
}

export interface TelemetryParts {
  clock: Clock;
  logger: Logger;
  /** For the standard variables of OpenTelemetry, and for proxies. */
  environment: Environment;
  /** What is not counted, but looked at each time. */
  look?: (() => Promise<readonly Metric[]>) | undefined;
}

export interface Telemetry {
  observe(identity: AppIdentity): Observe;
  /** All metrics in the text format of Prometheus. */
  prometheus(): Promise<string>;
  /** Sends once more, for at most five seconds; the call must outlive the one that ended the agent. */
  close(call: Call): Promise<void>;
}

/**
 * Counts what happens to the apps of this process.
 *
 * @throws {ConfigError} for an endpoint or a variable that cannot be meant
 */
export async function openTelemetry(
  options: TelemetryOptions,
  { clock, logger, environment, look = async () => [] }: TelemetryParts,
): Promise<Telemetry> {
  const { version } = options;
  const startedAt = clock.now();
  // Not as OTEL_SERVICE_NAME says: that is the app's, which inherits the same variables.
  const resource = { "service.name": "dewy", "service.version": version };
  const metrics = openAgentMetrics(clock);
  const read = async () => [
    ...metrics.read(),
    ...(await look()),
    ...(await readProcessMetrics(startedAt)),
  ];
  const otlp = await openExport();

  return {
    observe: metrics.observe,
    prometheus: async () => prometheusText(await read(), resource),
    close: async (call) => await otlp?.close(call),
  };

  async function openExport(): Promise<OtlpExport | undefined> {
    const { endpoint, insecure } = options;
    if (!endpoint) return undefined;
    const [{ readOtlpTarget }, { otlpRequest }, { startOtlpExport }] = await Promise.all([
      import("./otlp-target.ts"),
      import("./otlp-request.ts"),
      import("./otlp-export.ts"),
    ]);
    const target = await readOtlpTarget({ endpoint, insecure, environment });
    const sender = await openSender(target, { userAgent: `dewy/${version}`, environment });
    const sent = { resource: { ...resource, "host.name": hostname() }, version, startedAt };
    return startOtlpExport({
      sender,
      read: async () => otlpRequest(await read(), { ...sent, now: clock.now() }),
      ...{ clock, logger },
    });
  }
}

async function openSender(
  target: OtlpTarget,
  options: { userAgent: string; environment: Environment },
): Promise<OtlpSender> {
  if (target.protocol === "grpc") {
    const { openOtlpGrpc } = await import("./otlp-grpc.ts");
    return await openOtlpGrpc(target);
  }
  const { openOtlpHttp } = await import("./otlp-http.ts");
  return await openOtlpHttp(target, options);
}
