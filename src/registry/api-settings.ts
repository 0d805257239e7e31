import { clientAddressBehind } from "./auth/trusted-proxies.ts";
import type { RegistryConfig } from "./config.ts";

export type ApiSettings = ReturnType<typeof apiSettingsOf>;

/** What requests are answered by. */
export function apiSettingsOf(config: RegistryConfig) {
  const { http, storage, tags, catalog, auth } = config;
  return {
    deletion: storage.delete.enabled ? "allowed" : "refused",
    writes: accessOf(config) === "read" ? "refused" : "allowed",
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

/** What the registry does with its storage. */
export function accessOf({ storage }: RegistryConfig): "read" | "write" {
  return storage.maintenance.readonly.enabled ? "read" : "write";
}
