import type { Environment } from "../../base/environment.ts";
import type { Health as HealthConfig } from "../config-health.ts";
import type { CheckParts } from "./checks.ts";
import { type Health, type HealthParts, startHealth } from "./health.ts";

export interface OpenHealthParts extends HealthParts, Omit<CheckParts, "http"> {
  /** For proxies. */
  environment: Environment;
}

/** Starts the checks that `config` asks for; what they need is only loaded where there are any. */
export async function openHealth(config: HealthConfig, parts: OpenHealthParts): Promise<Health> {
  const { storagedriver, file, http, tcp } = config;
  const hasChecks = storagedriver?.enabled || [...file, ...http, ...tcp].length > 0;
  if (!hasChecks) return startHealth([], parts);
  const { checksOf } = await import("./checks.ts");
  const { openHttpClient } = await import("../../base/http-client.ts");
  const client = openHttpClient({ userAgent: "dewy", environment: parts.environment });
  const health = startHealth(checksOf(config, { ...parts, http: client }), parts);
  return {
    failures: health.failures,
    get isWell() {
      return health.isWell;
    },
    async close() {
      await health.close();
      client.close();
    },
  };
}
