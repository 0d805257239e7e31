import { hostname } from "node:os";
import type { Environment } from "../../base/environment.ts";
import { ConfigError } from "../../base/errors.ts";
import {
  type OtlpConnection,
  otlpSettingsFor,
  readOtlpConnection,
} from "../../base/otlp-connection.ts";
import { type Sampler, samplerFor } from "./sampler.ts";
import { areTracesAskedFor } from "./traces-asked-for.ts";

export interface TracingOptions extends OtlpConnection {
  /** The whole URL that spans are posted to. */
  url: URL;
  /** The variable that named it. */
  option: string;
  encoding: "protobuf" | "json";
  sample: Sampler;
  /** Who sends. */
  resource: Readonly<Record<string, string>>;
}

const defaultEndpoint = "http://localhost:4318";

/**
 * Reads the standard variables of OpenTelemetry; `undefined` where no traces are asked for: unlike
 * Distribution 3, which sends them to this machine unless told otherwise.
 *
 * @throws {ConfigError} naming the variable
 */
export async function readTracingOptions(
  environment: Environment,
): Promise<TracingOptions | undefined> {
  if (!areTracesAskedFor(environment)) return undefined;
  const setting = otlpSettingsFor("TRACES", environment);
  const { url, option } = placeIn(environment);
  return {
    ...{ url, option, encoding: encodingIn(setting("PROTOCOL")) },
    sample: samplerFor(
      environment.OTEL_TRACES_SAMPLER ?? "",
      environment.OTEL_TRACES_SAMPLER_ARG ?? "",
    ),
    resource: resourceIn(environment),
    ...(await readOtlpConnection(url, setting, environment)),
  };
}

/** The URL for traces is taken as it is; to the one for everything, their path is added. */
function placeIn(environment: Environment): { url: URL; option: string } {
  const own = environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  const general = environment.OTEL_EXPORTER_OTLP_ENDPOINT || defaultEndpoint;
  const option = own ? "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" : "OTEL_EXPORTER_OTLP_ENDPOINT";
  const text = own || `${general.replace(/\/+$/, "")}/v1/traces`;
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) {
    throw new ConfigError(`${option} is no URL`, {
      hint: "write it as http://collector:4318",
    });
  }
  const url = new URL(text);
  if (url.username === "" && url.password === "") return { url, option };
  throw new ConfigError(`${option}: no credentials may stand in it`, {
    hint: "give them by OTEL_EXPORTER_OTLP_HEADERS, such as authorization=Basic%20…",
  });
}

function encodingIn({ name, value }: { name: string; value: string }): TracingOptions["encoding"] {
  if (value === "" || value === "http/protobuf") return "protobuf";
  if (value === "http/json") return "json";
  throw new ConfigError(`${name}: the registry does not speak ${value}`, {
    hint: "write http/protobuf or http/json, with the port for HTTP, such as 4318",
  });
}

function resourceIn(environment: Environment): Record<string, string> {
  const pairs = (environment.OTEL_RESOURCE_ATTRIBUTES ?? "")
    .split(",")
    .filter((pair) => pair.trim());
  const given = pairs.map((pair): [string, string] => {
    const [, key = "", value = ""] = /^\s*([^=]+?)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
    try {
      if (key !== "") return [decodeURIComponent(key), decodeURIComponent(value)];
    } catch {}
    throw new ConfigError("OTEL_RESOURCE_ATTRIBUTES does not hold attributes", {
      hint: "write name=value,name=value, with what is odd in a value as %20 and so on",
    });
  });
  const name = environment.OTEL_SERVICE_NAME;
  const own = { "service.name": "dewy-registry", "host.name": hostname() };
  return { ...own, ...Object.fromEntries(given), ...(name && { "service.name": name }) };
}
