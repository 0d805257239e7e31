import { validateHeaderName, validateHeaderValue } from "node:http";
import type { SecureContext } from "node:tls";
import type { Environment } from "./environment.ts";
import { ConfigError } from "./errors.ts";
import { Secret } from "./secret.ts";
import { readTlsFiles } from "./tls-files.ts";

/** How a collector is spoken to, wherever it is. */
export interface OtlpConnection {
  headers: Readonly<Record<string, Secret>>;
  timeoutMs: number;
  compression: "gzip" | "none";
  /** `undefined` for plain text. */
  secureContext: SecureContext | undefined;
}

/** Of the OpenTelemetry specification, "OpenTelemetry Protocol Exporter". */
const defaultTimeoutMs = 10_000;
const longestTimeoutMs = 60_000;

export interface OtlpSetting {
  name: string;
  /** Empty is as good as unset. */
  value: string;
}

/** Reads one by the last part of its name, such as `HEADERS`. */
export type ReadOtlpSetting = (name: string) => OtlpSetting;

/** The standard variables for one kind of telemetry, before those for all kinds. */
export function otlpSettingsFor(
  kind: "METRICS" | "TRACES",
  environment: Environment,
): ReadOtlpSetting {
  return (name) => {
    const own = `OTEL_EXPORTER_OTLP_${kind}_${name}`;
    const general = `OTEL_EXPORTER_OTLP_${name}`;
    return environment[own]
      ? { name: own, value: environment[own] }
      : { name: general, value: environment[general] ?? "" };
  };
}

/**
 * Reads HEADERS, TIMEOUT and COMPRESSION, and for an `https:` URL CERTIFICATE, CLIENT_CERTIFICATE and
 * CLIENT_KEY.
 *
 * @throws {ConfigError} naming the variable
 */
export async function readOtlpConnection(
  url: URL,
  setting: ReadOtlpSetting,
  environment: Environment,
): Promise<OtlpConnection> {
  return {
    headers: headersIn(setting("HEADERS")),
    timeoutMs: timeoutIn(setting("TIMEOUT")),
    compression: compressionIn(setting("COMPRESSION")),
    secureContext: url.protocol === "https:" ? await tlsIn(setting, environment) : undefined,
  };
}

/** `key=value,key=value`, percent-encoded (W3C Baggage, without properties). */
function headersIn({ name, value }: OtlpSetting): Record<string, Secret> {
  const pairs = value.split(",").filter((pair) => pair.trim() !== "");
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      const key = pair.slice(0, Math.max(at, 0)).trim().toLowerCase();
      try {
        const text = decodeURIComponent(pair.slice(at + 1).trim());
        validateHeaderName(key);
        validateHeaderValue(key, text);
        return [key, new Secret(text)];
      } catch {
        // Without the cause, which may show the value.
        throw new ConfigError(`${name} does not hold headers`, {
          hint: "write name=value,name=value, with what is odd in a value as %20 and so on",
        });
      }
    }),
  );
}

/** In milliseconds. */
function timeoutIn({ name, value }: OtlpSetting): number {
  if (value === "") return defaultTimeoutMs;
  const ms = Number(value);
  if (/^\d+$/.test(value) && ms > 0) return Math.min(ms, longestTimeoutMs);
  throw new ConfigError(`${name} is no time`, { hint: "write milliseconds, such as 10000" });
}

function compressionIn({ name, value }: OtlpSetting): OtlpConnection["compression"] {
  if (value === "" || value === "none") return "none";
  if (value === "gzip") return "gzip";
  throw new ConfigError(`${name} names no compression`, { hint: "write gzip or none" });
}

async function tlsIn(setting: ReadOtlpSetting, environment: Environment): Promise<SecureContext> {
  const file = (name: string) => {
    const { value, ...named } = setting(name);
    return value === "" ? undefined : { ...named, path: value };
  };
  const [ca, cert, key] = [file("CERTIFICATE"), file("CLIENT_CERTIFICATE"), file("CLIENT_KEY")];
  if ((cert === undefined) !== (key === undefined)) {
    throw new ConfigError("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and …_CLIENT_KEY go together", {
      hint: "set both, or neither",
    });
  }
  return await readTlsFiles({ ca, cert, key }, "OTEL_EXPORTER_OTLP_*", environment);
}
