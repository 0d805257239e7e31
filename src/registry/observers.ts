import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import type { Metric } from "../base/instruments.ts";
import type { Logger } from "../base/logger.ts";
import type { Inquiry } from "./api/exchange.ts";
import type { RegistryConfig } from "./config.ts";
import type { EventObserver } from "./events/event-observer.ts";
import { type CollectionMetrics, openCollectionMetrics } from "./garbage/collection-metrics.ts";
import { openScrubMetrics, type ScrubMetrics } from "./garbage/scrub-metrics.ts";
import type { Health } from "./health/health.ts";
import { openHealth } from "./health/open-health.ts";
import { type CertificateMetrics, openCertificateMetrics } from "./metrics/certificate-metrics.ts";
import { type HttpMetrics, openHttpMetrics } from "./metrics/http-metrics.ts";
import { measuredStorage } from "./metrics/measured-storage.ts";
import { type MirrorCounts, noCounts } from "./mirror/mirror-counts.ts";
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
  /** Told of the collections of garbage. */
  collections: CollectionMetrics;
  /** Told of the scrubs. */
  scrubs: ScrubMetrics;
  /** `undefined` when nobody wants to hear of what happens. */
  events: Pick<EventObserver, "witnessOf" | "ruleRemovals"> | undefined;
  /** Where the debug server is reached, if there is one. */
  debugAddress: string | undefined;
  close(call: Call): Promise<void>;
}

/**
 * Opens what `notifications`, `health` and `http.debug` ask for, and loads nothing else.
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
  const events = await eventsOf(config, parts, call);
  const health = await openHealth(config.health, { storage, driver, environment, clock, logger });
  const counts = noCounts();
  const certificates = openCertificateMetrics();
  const collections = openCollectionMetrics();
  const scrubs = openScrubMetrics();
  const startedAt = clock.now();
  const close = async (call: Call) => {
    await health.close();
    await events?.close(call);
  };
  try {
    const debug = addr === undefined ? undefined : await openDebug(addr);
    return {
      ...{ storage, metrics, health, counts, certificates, collections, scrubs, events },
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

  async function openDebug(addr: string) {
    const [{ openDebugServer }, { prometheusText }, { readProcessMetrics }, { mirrorMetrics }] =
      await Promise.all([
        import("./debug-server.ts"),
        import("../base/prometheus-text.ts"),
        import("../base/process-metrics.ts"),
        import("./mirror/mirror-metrics.ts"),
      ]);
    const metricsPath = isMeasured ? prometheus?.path : undefined;
    const ofMirror = config.proxy ? () => mirrorMetrics(counts) : () => [];
    const text = async () =>
      prometheusText([...read(), ...ofMirror(), ...(await readProcessMetrics(startedAt))]);
    return openDebugServer({ addr, metricsPath }, { health, metrics: text, logger });
  }

  function read(): Metric[] {
    return [metrics, measured]
      .flatMap((one) => one?.read() ?? [])
      .concat(events?.metrics() ?? [])
      .concat(certificates.read())
      .concat(collections.read())
      .concat(scrubs.read());
  }
}

async function eventsOf(
  config: RegistryConfig,
  parts: ObserverParts,
  call: Call,
): Promise<EventObserver | undefined> {
  if (config.notifications.endpoints.every(({ disabled }) => disabled)) return undefined;
  const { openEventObserver } = await import("./events/event-observer.ts");
  return await openEventObserver(config, parts, call);
}
