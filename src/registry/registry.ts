import { setMaxListeners } from "node:events";
import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import type { Logger } from "../base/logger.ts";
import type { AccessLog } from "./api/access-log.ts";
import { apiListener } from "./api/listener.ts";
import { accessOf, apiSettingsOf } from "./api-settings.ts";
import { openClosers } from "./closers.ts";
import type { RegistryConfig } from "./config.ts";
import { type CollectionState, type Collections, openCollections } from "./garbage/collections.ts";
import { collectorFor, draftPurgerFor, scrubberFor } from "./garbage/collector.ts";
import { writeScrubRecord } from "./garbage/scrub-record.ts";
import { openScrubs, type ScrubState, type Scrubs } from "./garbage/scrubs.ts";
import { type Images, openImages } from "./open-images.ts";
import { openSurroundings, type Surroundings } from "./open-surroundings.ts";
import { drain, openAnswers } from "./server-drain.ts";
import { listen } from "./server-listen.ts";

export interface RegistryParts {
  clock: Clock;
  logger: Logger;
  /** Where requests are logged, unless `log.accesslog.disabled`. */
  accessLog?: AccessLog;
  /** For the proxies on the way to other registries, credential helpers, and `OTEL_…`. */
  environment?: Environment;
  /** Of this program, as a collector of traces is told. */
  version?: string;
}

export interface Registry {
  /** Where it is reached, such as `http://127.0.0.1:5000`, or `unix:/path` for a socket. */
  address: string;
  /** Where the debug server is, if `http.debug.addr` asks for one. */
  debugAddress: string | undefined;
  /**
   * Takes no new connection, lets the requests that are under way end for as long as
   * `http.draintimeout` says or until the call is aborted, and then cuts off what is left.
   */
  close(call: Call): Promise<void>;
}

/**
 * Serves the image registry that `config` describes. What would keep it from working is found out
 * before the first request is taken.
 *
 * @throws {ConfigError} for a variable of OpenTelemetry that cannot be meant
 * @throws {StorageError} when the storage cannot be used
 * @throws {AuthError} when users or keys cannot be read
 * @throws {NotificationsError} when their queue cannot be used
 * @throws {RegistryError} when an address or the certificate cannot
 */
export async function openRegistry(
  config: RegistryConfig,
  parts: RegistryParts,
): Promise<Registry> {
  for (const note of config.notes) parts.logger.info(note);
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // every request that waits listens, and they are many
  const call = { signal: stop.signal };
  const closers = openClosers();
  try {
    const settings = apiSettingsOf(config);
    const around = await openSurroundings(config, parts, { settings, closers }, call);
    const images = await openImages(config, around, closers);
    const collections = collectionsOf(config, around, images);
    const scrubs = scrubsOf(config, around, images);
    const { served, observers, gate, tracing, clock, logger } = around;
    const { metrics, health, events, debugAddress } = observers;
    const seen = { metrics, health, tracing, witness: events?.witnessOf(images.store) };
    const accessLog = config.log.accesslog.disabled ? undefined : parts.accessLog;
    const known = { gate, ...images, collections, scrubs, ...seen, accessLog, clock, logger };
    served.prependListener(apiListener({ ...settings, ...known, call }));
    const open = openAnswers(served);
    const address = await listen(served.server, config.http);
    if (accessOf(config) === "write") {
      const housekeeping = await startedMaintenance(config, around, {
        ...images,
        collections,
        scrubs,
      });
      closers.add(() => housekeeping.close());
    }
    closers.add(() => collections.close());
    closers.add(() => scrubs.close());
    return {
      address,
      debugAddress,
      async close(call) {
        await drain(served, { timeoutMs: config.http.draintimeout, clock, open }, call);
        stop.abort();
        await closers.close(call);
      },
    };
  } catch (error) {
    await closers.close(call);
    throw error;
  }
}

function collectionsOf(
  { storage: { choice, maintenance } }: RegistryConfig,
  { storage, observers, clock, logger }: Surroundings,
  { quotas }: Images,
): Collections {
  const ended = (state: CollectionState) => {
    observers.collections.ended(state);
    if (!state.dryRun) quotas.recount();
  };
  const collector = collectorFor(choice, storage);
  return openCollections(maintenance.garbagecollect, { collector, ended, clock, logger });
}

/** What is set aside takes no room of any quota. */
function scrubsOf(
  config: RegistryConfig,
  { storage, observers, clock, logger }: Surroundings,
  { quotas }: Images,
): Scrubs {
  const { noted } = observers.scrubs;
  const ended = (state: ScrubState) => {
    observers.scrubs.ended(state);
    if (state.items.some(({ isAside }) => isAside)) quotas.recount();
  };
  const record =
    accessOf(config) === "write"
      ? (at: Date, call: Call) => writeScrubRecord(storage, at, call)
      : undefined;
  const scrubber = scrubberFor(config.storage.choice, storage);
  return openScrubs({ scrubber, record, noted, ended, clock, logger });
}

interface Works {
  collections: Collections;
  scrubs: Scrubs;
}

/** Nobody waits for this one to be loaded: answers are given already. */
async function startedMaintenance(
  config: RegistryConfig,
  { storage, observers, clock, logger }: Surroundings,
  { history, collections, scrubs }: Pick<Images, "history"> & Works,
) {
  const { startMaintenance } = await import("./garbage/maintenance.ts");
  const removed = observers.events?.ruleRemovals;
  const scrubbed = observers.scrubs.earlier;
  const drafts = draftPurgerFor(config.storage.choice);
  const parts = { storage, history, collections, drafts, scrubs, scrubbed, removed, clock, logger };
  return startMaintenance(config.storage.maintenance, parts);
}
