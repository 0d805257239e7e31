import { setMaxListeners } from "node:events";
import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { apiListener } from "./api/listener.ts";
import { openGateFor } from "./auth/index.ts";
import { clientAddressBehind } from "./auth/trusted-proxies.ts";
import type { RegistryConfig } from "./config.ts";
import { cacheNote } from "./config-cache.ts";
import { imageStoreOn } from "./images/image-store.ts";
import { drain, openAnswers } from "./server-drain.ts";
import { listen } from "./server-listen.ts";
import { openServer } from "./server-open.ts";
import { openStorage } from "./storage/index.ts";

export interface RegistryParts {
  clock: Clock;
  logger: Logger;
}

export interface Registry {
  /** Where it is reached, such as `http://127.0.0.1:5000`, or `unix:/path` for a socket. */
  address: string;
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
 * @throws {StorageError} when the storage cannot be used
 * @throws {AuthError} when users or keys cannot be read
 * @throws {RegistryError} when the address or the certificate cannot
 */
export async function openRegistry(
  config: RegistryConfig,
  { clock, logger }: RegistryParts,
): Promise<Registry> {
  if (config.storage.cache) logger.info(cacheNote);
  const isReadonly = config.storage.maintenance.readonly.enabled;
  const access = isReadonly ? "read" : "write";
  const storage = await openStorage(config.storage.choice, { access, clock });
  const closers: (() => Promise<void>)[] = [() => storage.close()];
  const close = async () => {
    for (const end of closers.reverse()) await end();
  };
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // every request that waits listens, and they are many
  const call = { signal: stop.signal };
  try {
    const gate = await openGateFor(config.auth, { clock, logger }, call);
    closers.push(() => gate.close());
    const served = await openServer(config.http, { clock, logger });
    closers.push(() => served.release());
    const store = imageStoreOn(storage, { clock, validation: validationOf(config) });
    const settings = { ...settingsOf(config), gate, store };
    served.prependListener(apiListener({ ...settings, clock, logger, call }));
    const open = openAnswers(served);
    const address = await listen(served.server, config.http);
    return {
      address,
      async close(call) {
        await drain(served, { timeoutMs: config.http.draintimeout, clock, open }, call);
        stop.abort();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function settingsOf({ http, log, storage, tags, catalog, auth }: RegistryConfig) {
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
    accessLog: log.accesslog.disabled ? "left out" : "written",
  } as const;
}

function validationOf({ validation }: RegistryConfig) {
  return validation.disabled ? undefined : { urls: validation.manifests.urls };
}
