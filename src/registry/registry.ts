import { setMaxListeners } from "node:events";
import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import type { Logger } from "../base/logger.ts";
import type { AccessLog } from "./api/access-log.ts";
import { endOfClient } from "./api/admission.ts";
import { apiListener } from "./api/listener.ts";
import { openGateFor } from "./auth/index.ts";
import { clientAddressBehind } from "./auth/trusted-proxies.ts";
import type { RegistryConfig } from "./config.ts";
import { type CollectionState, openCollections } from "./garbage/collections.ts";
import { collectorFor } from "./garbage/collector.ts";
import { immutableTagsOf } from "./garbage/retention.ts";
import { imageStoreOn } from "./images/image-store.ts";
import { lastPullsOn } from "./images/last-pulls.ts";
import { tagHistoryOn } from "./images/tag-history.ts";
import type { openImageMirror } from "./mirror/image-mirror.ts";
import { openObservers } from "./observers.ts";
import { openLimits } from "./quotas/limits.ts";
import { drain, openAnswers } from "./server-drain.ts";
import { listen } from "./server-listen.ts";
import { openServer } from "./server-open.ts";
import { openStorage } from "./storage/index.ts";
import { openTracingFor } from "./tracing/open-tracing.ts";

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
  { clock, logger: untraced, accessLog, environment = {}, version = "" }: RegistryParts,
): Promise<Registry> {
  for (const note of config.notes) untraced.info(note);
  const isReadonly = config.storage.maintenance.readonly.enabled;
  const access = isReadonly ? "read" : "write";
  const storage = await openStorage(config.storage.choice, { access, clock });
  const closers: ((call: Call) => Promise<void>)[] = [() => storage.close()];
  const close = async (call: Call) => {
    for (const end of closers.reverse()) await end(call);
  };
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // every request that waits listens, and they are many
  const call = { signal: stop.signal };
  try {
    const tracing = await openTracingFor({ clock, logger: untraced, environment, version });
    if (tracing) closers.unshift((call) => tracing.close(call));
    const logger = tracing?.logger ?? untraced;
    const settings = settingsOf(config);
    const addressOf = endOfClient(settings);
    const watched = { storage, addressOf, tracing, clock, logger, environment };
    const observers = await openObservers(config, watched, call);
    closers.push((call) => observers.close(call));
    const gate = await openGateFor(config.auth, { clock, logger, environment }, call);
    closers.push(() => gate.close());
    const { metrics, health, counts, certificates, events, debugAddress } = observers;
    const serving = { clock, logger, environment, noted: certificates.noted };
    const served = await openServer(config.http, serving);
    closers.push(() => served.release());
    const history = tagHistoryOn(storage, { clock, logger });
    const unlimited = imageStoreOn(observers.storage, { clock, history, ...rulesOf(config) });
    const counted = { store: unlimited, storage, clock, logger };
    const limits = await openLimits(isReadonly ? [] : config.quotas, counted);
    closers.push(() => limits.close());
    const own = limits.store;
    const mirrored = { own, storage, counts, environment, tracing, clock, logger };
    const mirror = config.proxy && (await openMirrorOf(config.proxy, mirrored));
    if (mirror) closers.push((call) => mirror.close(call));
    const { store, nameOf } = mirror ?? { store: own, nameOf: undefined };
    const isNoted = (repository: string) => !isReadonly && (mirror?.isOwn(repository) ?? true);
    const pulls = lastPullsOn(storage, { isNoted, clock, logger });
    closers.push(() => pulls.settled());
    const witness = events?.witnessOf(store);
    const log = config.log.accesslog.disabled ? undefined : accessLog;
    const { maintenance } = config.storage;
    const ended = (state: CollectionState) => {
      observers.collections.ended(state);
      if (!state.dryRun) limits.recount();
    };
    const parts = { storage, clock, logger };
    const collector = collectorFor(config.storage.choice, storage);
    const collecting = { collector, ended, clock, logger };
    const collections = openCollections(maintenance.garbagecollect, collecting);
    const known = {
      gate,
      store,
      history,
      pulls,
      ...{ collections, quotas: limits },
      nameOf,
      witness,
      metrics,
      tracing,
      health,
      accessLog: log,
    };
    served.prependListener(apiListener({ ...settings, ...known, clock, logger, call }));
    const open = openAnswers(served);
    const address = await listen(served.server, config.http);
    if (!isReadonly) {
      // Nobody waits for this one to be loaded: answers are given already.
      const { startMaintenance } = await import("./garbage/maintenance.ts");
      const housekeeping = startMaintenance(maintenance, {
        ...{ ...parts, history, collections },
        removed: events?.ruleRemovals,
      });
      closers.push(() => housekeeping.close());
    }
    closers.push(() => collections.close());
    return {
      address,
      debugAddress,
      async close(call) {
        await drain(served, { timeoutMs: config.http.draintimeout, clock, open }, call);
        stop.abort();
        await close(call);
      },
    };
  } catch (error) {
    await close(call);
    throw error;
  }
}

async function openMirrorOf(...given: Parameters<typeof openImageMirror>) {
  return (await import("./mirror/image-mirror.ts")).openImageMirror(...given);
}

function settingsOf({ http, storage, tags, catalog, auth }: RegistryConfig) {
  return {
    deletion: storage.delete.enabled ? "allowed" : "refused",
    writes: storage.maintenance.readonly.enabled ? "refused" : "allowed",
    maximumTags: tags.maxtags,
    maximumCatalogEntries: catalog.maxentries,
    location: {
      host: http.host,
      prefix: http.prefix.replace(/\/$/, ""),
      relative: http.relativeurls,
      scheme: http.tls === undefined ? "http" : "https",
    },
    clientAddress: clientAddressBehind(auth?.trustedproxies ?? []),
    headers: http.headers,
  } as const;
}

/** What the image store refuses. */
function rulesOf({ validation, storage: { maintenance } }: RegistryConfig) {
  return {
    validation: validation.disabled ? undefined : validation.manifests,
    immutable: immutableTagsOf(maintenance.retention.rules),
  };
}
