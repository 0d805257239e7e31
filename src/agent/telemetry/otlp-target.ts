import type { Environment } from "../../base/environment.ts";
import { ConfigError } from "../../base/errors.ts";
import {
  type OtlpConnection,
  otlpSettingsFor,
  readOtlpConnection,
} from "../../base/otlp-connection.ts";

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
export interface OtlpTarget extends OtlpConnection {
  protocol: "grpc" | "http";
  /** For gRPC the origin, and otherwise the whole URL. */
  url: URL;
}

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
  const { environment } = options;
  const setting = otlpSettingsFor("METRICS", environment);
  return { ...place, ...(await readOtlpConnection(place.url, setting, environment)) };
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
