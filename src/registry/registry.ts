import { setMaxListeners } from "node:events";
import { createServer } from "node:http";
import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import type { Logger } from "../base/logger.ts";
import { apiListener } from "./api/listener.ts";
import type { RegistryConfig } from "./config.ts";
import { imageStoreOn } from "./images/image-store.ts";
import { openImageMirror } from "./mirror/image-mirror.ts";
import { drain, openAnswers } from "./server-drain.ts";
import { listen } from "./server-listen.ts";
import { openStorage } from "./storage/index.ts";

export interface RegistryParts {
  clock: Clock;
  logger: Logger;
  /** For the proxies on the way to other registries, and for credential helpers. */
  environment?: Environment;
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

/** A client may be silent this long within a request: a slow disk's commit takes less. */
const idleRequestMs = 600_000;
const idleConnectionMs = 75_000;
const headersTimeoutMs = 30_000;
const closingMs = 10_000;

/**
 * Serves the image registry that `config` describes. What would keep it from working is found out
 * before the first request is taken.
 *
 * @throws {StorageError} when the storage cannot be used
 * @throws {RegistryError} when the address cannot
 */
export async function openRegistry(
  config: RegistryConfig,
  { clock, logger, environment = {} }: RegistryParts,
): Promise<Registry> {
  const isReadonly = config.storage.maintenance.readonly.enabled;
  const access = isReadonly ? "read" : "write";
  const storage = await openStorage(config.storage.choice, { access, clock });
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // as many as there are requests at once
  const server = createServer({
    requestTimeout: 0, // an upload may take hours; one that stands still ends by `idleRequestMs`
    headersTimeout: headersTimeoutMs,
    keepAliveTimeout: idleConnectionMs,
  });
  server.setTimeout(idleRequestMs);
  const open = openAnswers(server);
  const own = imageStoreOn(storage, { clock, validation: validationOf(config) });
  const mirror =
    config.proxy && openImageMirror(config.proxy, { own, storage, environment, clock, logger });
  const { store, nameOf } = mirror ?? { store: own, nameOf: undefined };
  const call = { signal: stop.signal };
  server.on("request", apiListener({ ...settingsOf(config), store, nameOf, clock, logger, call }));
  try {
    const address = await listen(server, config.http);
    return {
      address,
      async close(call) {
        await drain(server, { timeoutMs: config.http.draintimeout, clock, open }, call);
        stop.abort();
        await mirror?.close(call);
        await storage.close();
      },
    };
  } catch (error) {
    await mirror?.close({ signal: AbortSignal.timeout(closingMs) });
    await storage.close();
    throw error;
  }
}

function settingsOf({ http, log, storage, tags, catalog }: RegistryConfig) {
  return {
    deletion: storage.delete.enabled ? "allowed" : "refused",
    writes: storage.maintenance.readonly.enabled ? "refused" : "allowed",
    maximumTags: tags.maxtags,
    maximumCatalogEntries: catalog.maxentries,
    location: {
      host: http.host,
      prefix: http.prefix.replace(/\/$/, ""),
      relative: http.relativeurls,
    },
    headers: http.headers,
    accessLog: log.accesslog.disabled ? "left out" : "written",
  } as const;
}

function validationOf({ validation }: RegistryConfig) {
  return validation.disabled ? undefined : { urls: validation.manifests.urls };
}
