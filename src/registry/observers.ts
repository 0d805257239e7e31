import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import { openHttpClient } from "../base/http-client.ts";
import type { Metric } from "../base/instruments.ts";
import type { Logger } from "../base/logger.ts";
import { readProcessMetrics } from "../base/process-metrics.ts";
import { prometheusText } from "../base/prometheus-text.ts";
import type { Inquiry } from "./api/exchange.ts";
import type { RegistryConfig } from "./config.ts";
import { openDebugServer } from "./debug-server.ts";
import type { RegistryEvent } from "./events/event.ts";
import { type Notifications, openNotifications } from "./events/notifications.ts";
import { queueDirectoryOf } from "./events/queue-place.ts";
import { type RuleRemovals, ruleRemovalsTo } from "./events/rule-removals.ts";
import { type Witness, witnessFor } from "./events/witness.ts";
import { checksOf } from "./health/checks.ts";
import { type Health, startHealth } from "./health/health.ts";
import type { ImageStore } from "./images/image-store.ts";
import { type CertificateMetrics, openCertificateMetrics } from "./metrics/certificate-metrics.ts";
import { type HttpMetrics, openHttpMetrics } from "./metrics/http-metrics.ts";
import { measuredStorage } from "./metrics/measured-storage.ts";
import { type MirrorCounts, noCounts } from "./mirror/mirror-counts.ts";
import { mirrorMetrics } from "./mirror/mirror-metrics.ts";
import type { StorageDriver } from "./storage-driver.ts";
import type { Tracing } from "./tracing/tracing.ts";

export interface ObserverParts {
  storage: StorageDriver;
  /** Where a request comes from; empty when nobody says. */
  addressOf(inquiry: Inquiry): string;
  clock: Clock;
  logger: Logger;
  /** For proxies. */
  environment: Environment;
  tracing: Tracing | undefined;
}

/** All that looks on while the registry serves. */
export interface Observers {
  /** The storage to be used, which may be watched. */
  storage: StorageDriver;
  metrics: HttpMetrics | undefined;
  health: Health;
  /** Where a mirror counts. */
  counts: MirrorCounts;
  /** Told of the certificates that are served. */
  certificates: CertificateMetrics;
  witnessOf(store: ImageStore): Witness | undefined;
  /** `undefined` when nobody wants to hear of it. */
  ruleRemovals: RuleRemovals | undefined;
  /** Where the debug server is reached, if there is one. */
  debugAddress: string | undefined;
  close(call: Call): Promise<void>;
}

/**
 * Opens what `notifications`, `health` and `http.debug` ask for.
 *
 * @throws {NotificationsError} when the queue of the notifications cannot be used
 * @throws {RegistryError} when the address of the debug server cannot
 */
export async function openObservers(
  config: RegistryConfig,
  parts: ObserverParts,
  call: Call,
): Promise<Observers> {
  const { clock, logger, environment, tracing } = parts;
  const { driver } = config.storage.choice;
  const { addr, prometheus } = config.http.debug ?? {};
  const isMeasured = prometheus?.enabled ?? false;
  const measured = isMeasured ? measuredStorage(parts.storage, driver) : undefined;
  const metrics = isMeasured ? openHttpMetrics() : undefined;
  const untraced = measured?.storage ?? parts.storage;
  const storage = tracing?.storage(untraced, driver) ?? untraced;
  const directory = queueDirectoryOf(config);
  const queued = { directory, clock, logger, environment, tracing };
  const notifications = await openNotifications(config.notifications, queued, call);
  const http = openHttpClient({ userAgent: "dewy", environment });
  const health = startHealth(checksOf(config.health, { storage, driver, http }), parts);
  const counts = noCounts();
  const certificates = openCertificateMetrics();
  const startedAt = clock.now();
  const source = sourceOf(config);
  const close = async (call: Call) => {
    await health.close();
    http.close();
    await notifications?.close(call);
  };
  try {
    const debug = addr === undefined ? undefined : await openDebug(addr);
    return {
      ...{ storage, metrics, health, counts, certificates },
      witnessOf: (store) =>
        notifications && witness(config, notifications, store, { ...parts, source }),
      ruleRemovals: notifications && ruleRemovalsTo(notifications, { source, clock }),
      debugAddress: debug?.address,
      async close(call) {
        await debug?.close();
        await close(call);
      },
    };
  } catch (error) {
    await close(call);
    throw error;
  }

  function openDebug(addr: string) {
    const metricsPath = isMeasured ? prometheus?.path : undefined;
    const text = async () => prometheusText([...read(), ...(await readProcessMetrics(startedAt))]);
    return openDebugServer({ addr, metricsPath }, { health, metrics: text, logger });
  }

  function read(): Metric[] {
    return [metrics, measured]
      .flatMap((one) => one?.read() ?? [])
      .concat(notifications?.metrics() ?? [])
      .concat(certificates.read())
      .concat(config.proxy ? mirrorMetrics(counts) : []);
  }
}

function witness(
  { notifications }: RegistryConfig,
  sink: Notifications,
  store: ImageStore,
  parts: ObserverParts & { source: RegistryEvent["source"] },
): Witness {
  const { source, addressOf, tracing, clock, logger } = parts;
  const { includereferences, headpulls } = notifications.events;
  return witnessFor({
    ...{ store, sink, source, addressOf, clock, logger },
    traceparent: () => tracing?.traceparent(),
    ...{ includeReferences: includereferences, headPulls: headpulls },
  });
}

function sourceOf({ http }: RegistryConfig): RegistryEvent["source"] {
  const port = http.net === "unix" ? "" : http.addr.slice(http.addr.lastIndexOf(":"));
  return { addr: `${hostname()}${port}`, instanceID: randomUUID() };
}
