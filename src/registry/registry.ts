import { createServer, type Server } from "node:http";
import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import { DewyError, systemCodeOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { apiListener } from "./api/listener.ts";
import type { RegistryConfig } from "./config.ts";
import { imageStoreOn } from "./images/image-store.ts";
import { drain } from "./server-drain.ts";
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

export class RegistryError extends DewyError<"CANNOT_LISTEN"> {}

/** A client may be silent this long within a request: a slow disk's commit takes less. */
const idleRequestMs = 600_000;
const idleConnectionMs = 75_000;
const headersTimeoutMs = 30_000;

/**
 * Serves the image registry that `config` describes. What would keep it from working is found out
 * before the first request is taken.
 *
 * @throws {StorageError} when the storage cannot be used
 * @throws {RegistryError} when the address cannot
 */
export async function openRegistry(
  config: RegistryConfig,
  { clock, logger }: RegistryParts,
): Promise<Registry> {
  const { http, log, storage: storageConfig } = config;
  const isReadonly = storageConfig.maintenance.readonly.enabled;
  const access = isReadonly ? "read" : "write";
  const storage = await openStorage(storageConfig.choice, { access, clock });
  const stop = new AbortController();
  const server = createServer({
    requestTimeout: 0, // an upload may take hours; one that stands still ends by `idleRequestMs`
    headersTimeout: headersTimeoutMs,
    keepAliveTimeout: idleConnectionMs,
  });
  server.setTimeout(idleRequestMs);
  server.on(
    "request",
    apiListener({
      store: imageStoreOn(storage, { clock, validation: validationOf(config) }),
      deletion: storageConfig.delete.enabled ? "allowed" : "refused",
      writes: isReadonly ? "refused" : "allowed",
      maximumTags: config.tags.maxtags,
      maximumCatalogEntries: config.catalog.maxentries,
      location: {
        host: http.host,
        prefix: http.prefix.replace(/\/$/, ""),
        relative: http.relativeurls,
      },
      headers: http.headers,
      logger,
      accessLog: log.accesslog.disabled ? "left out" : "written",
      clock,
      call: { signal: stop.signal },
    }),
  );
  try {
    const address = await listen(server, http);
    return {
      address,
      async close(call) {
        await drain(server, { timeoutMs: http.draintimeout, clock }, call);
        stop.abort();
        await storage.close();
      },
    };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

function validationOf({ validation }: RegistryConfig) {
  return validation.disabled ? undefined : { urls: validation.manifests.urls };
}

async function listen(server: Server, { addr, net }: RegistryConfig["http"]): Promise<string> {
  const where = net === "unix" ? { path: addr } : hostAndPort(addr);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(where, resolve);
    });
  } catch (error) {
    throw cannotListen(addr, error);
  }
  const address = server.address();
  if (address === null || typeof address === "string") return `unix:${addr}`;
  const host = ["::", "0.0.0.0"].includes(address.address) ? "127.0.0.1" : address.address;
  return `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
}

function hostAndPort(addr: string): { host?: string; port: number } {
  const colon = addr.lastIndexOf(":");
  const host = addr.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  const port = Number(addr.slice(colon + 1));
  return host === "" ? { port } : { host, port };
}

function cannotListen(addr: string, error: unknown): RegistryError {
  const code = systemCodeOf(error);
  const hint =
    code === "EADDRINUSE"
      ? "stop the program that listens there, or set http.addr to another address"
      : "set http.addr to an address of this machine, such as 127.0.0.1:5000";
  const why = code === "EADDRINUSE" ? "is taken" : `cannot be listened on: ${code}`;
  return new RegistryError("CANNOT_LISTEN", `the address ${addr} ${why}`, { cause: error, hint });
}
