import { validateHeaderName, validateHeaderValue } from "node:http";
import type { SecureContext } from "node:tls";
import type { Environment } from "../../base/environment.ts";
import { ConfigError } from "../../base/errors.ts";
import { Secret } from "../../base/secret.ts";
import { readTlsFiles } from "../../base/tls-files.ts";

export interface OtlpOptions {
  /**
   * `host:port` speaks gRPC, as with the original. `http://` and `https://` speak OTLP/HTTP, except
   * on 4317, which is gRPC's port.
   */
  endpoint: string;
  /** `host:port` without TLS. */
  insecure: boolean;
  environment: Environment;
}

/** Where metrics are sent, and how. */
export interface OtlpTarget {
  protocol: "grpc" | "http";
  /** For gRPC the origin, and otherwise the whole URL. */
  url: URL;
  headers: Readonly<Record<string, Secret>>;
  timeoutMs: number;
  compression: "gzip" | "none";
  /** `undefined` for plain text. */
  secureContext: SecureContext | undefined;
}

/** Of the OpenTelemetry specification, "OpenTelemetry Protocol Exporter". */
const defaultTimeoutMs = 10_000;
const longestTimeoutMs = 60_000;
const grpcPort = "4317";

/**
 * Reads `--otlp-endpoint` and, for the rest, the standard variables `OTEL_EXPORTER_OTLP_METRICS_*` and
 * `OTEL_EXPORTER_OTLP_*`: HEADERS, TIMEOUT, COMPRESSION, CERTIFICATE, CLIENT_CERTIFICATE, CLIENT_KEY.
 * Their endpoint and protocol are the app's, which inherits them too: as with the original, the
 * agent's own endpoint is the option.
 *
 * @throws {ConfigError} naming the option or the variable
 */
export async function readOtlpTarget(options: OtlpOptions): Promise<OtlpTarget> {
  const place = placeOf(options);
  const setting = settingsIn(options.environment);
  return {
    ...place,
    headers: headersIn(setting("HEADERS")),
    timeoutMs: timeoutIn(setting("TIMEOUT")),
    compression: compressionIn(setting("COMPRESSION")),
    secureContext:
      place.url.protocol === "https:" ? await tlsIn(setting, options.environment) : undefined,
  };
}

function placeOf({ endpoint, insecure }: OtlpOptions): Pick<OtlpTarget, "protocol" | "url"> {
  const hasScheme = /^https?:\/\//i.test(endpoint);
  const text = hasScheme ? endpoint : `${insecure ? "http" : "https"}://${endpoint}`;
  if (!URL.canParse(text) || (!hasScheme && endpoint.includes("/"))) throw badEndpoint();
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") {
    throw new ConfigError("--otlp-endpoint: no credentials may stand in it", {
      hint: "give them by OTEL_EXPORTER_OTLP_HEADERS, such as authorization=Basic%20…",
    });
  }
  if (hasScheme && insecure && url.protocol === "https:") {
    throw new ConfigError("--otlp-endpoint: https:// and --otlp-insecure contradict each other", {
      hint: "write http://, or leave --otlp-insecure out",
    });
  }
  if (!hasScheme && !/:\d+$/.test(endpoint)) url.port = grpcPort;
  const isBare = url.pathname === "/" && url.search === "";
  if (!hasScheme || (url.port === grpcPort && isBare)) {
    return { protocol: "grpc", url: new URL(url.origin) };
  }
  if (!url.pathname.endsWith("/v1/metrics")) {
    url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/metrics`;
  }
  return { protocol: "http", url };
}

const badEndpoint = () =>
  new ConfigError("--otlp-endpoint: this is no endpoint of OTLP", {
    hint: "write host:4317 for gRPC, or a URL such as https://host:4318/v1/metrics for HTTP",
  });

interface Setting {
  name: string;
  /** Empty is as good as unset. */
  value: string;
}

type Read = (name: string) => Setting;

function settingsIn(environment: Environment): Read {
  return (name) => {
    const own = `OTEL_EXPORTER_OTLP_METRICS_${name}`;
    const general = `OTEL_EXPORTER_OTLP_${name}`;
    return environment[own]
      ? { name: own, value: environment[own] }
      : { name: general, value: environment[general] ?? "" };
  };
}

/** `key=value,key=value`, percent-encoded (W3C Baggage, without properties). */
function headersIn({ name, value }: Setting): Record<string, Secret> {
  const pairs = value.split(",").filter((pair) => pair.trim() !== "");
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      const key = pair.slice(0, at).trim().toLowerCase();
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
function timeoutIn({ name, value }: Setting): number {
  if (value === "") return defaultTimeoutMs;
  const ms = Number(value);
  if (/^\d+$/.test(value) && ms > 0) return Math.min(ms, longestTimeoutMs);
  throw new ConfigError(`${name} is no time`, { hint: "write milliseconds, such as 10000" });
}

function compressionIn({ name, value }: Setting): OtlpTarget["compression"] {
  if (value === "" || value === "none") return "none";
  if (value === "gzip") return "gzip";
  throw new ConfigError(`${name} names no compression`, { hint: "write gzip or none" });
}

async function tlsIn(setting: Read, environment: Environment): Promise<SecureContext> {
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
