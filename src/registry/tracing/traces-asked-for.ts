import type { Environment } from "../../base/environment.ts";
import { ConfigError } from "../../base/errors.ts";

/** @throws {ConfigError} for an exporter that there is not */
export function areTracesAskedFor(environment: Environment): boolean {
  if (environment.OTEL_SDK_DISABLED?.toLowerCase() === "true") return false;
  const exporter = environment.OTEL_TRACES_EXPORTER?.trim() ?? "";
  if (exporter === "none") return false;
  if (exporter !== "" && exporter !== "otlp") {
    throw new ConfigError(`OTEL_TRACES_EXPORTER: this registry has no such exporter: ${exporter}`, {
      hint: "write otlp, or none",
    });
  }
  const { OTEL_EXPORTER_OTLP_ENDPOINT: all, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own } = environment;
  return exporter === "otlp" || Boolean(own || all);
}
