import type { ContainerOptions } from "../../agent/containers/container-options.ts";
import type { PortMapping } from "../../agent/containers/port-mapping.ts";
import { parseRunOptions } from "../../agent/containers/run-options.ts";
import { ConfigError, lineOf } from "../../base/errors.ts";
import type { AppSource } from "./app.ts";
import { appNameOf } from "./app-name.ts";
import { dashed } from "./option.ts";
import type { OptionValues } from "./table.ts";

/** What the options come to for an app of containers. What is wrong is added to `problems`. */
export function containerOf(
  source: AppSource,
  values: OptionValues,
  problems: string[],
): ContainerOptions {
  const { registry = "", network, networkAlias, port } = values;
  const at = source.place ? `${source.place}: ` : "";
  const proxy = values.proxy ?? (networkAlias !== undefined && !port?.length ? "none" : "built-in");
  const run = runOptionsOf(source, problems);
  if (registry && !/^(img|docker|oci):\/\//i.test(registry)) {
    problems.push(`${at}dewy container runs images: write registry as img://host/repository`);
  }
  problems.push(...proxyProblems(proxy, values).map((problem) => `${at}${problem}`));
  if (networkAlias !== undefined && network === undefined) {
    problems.push(
      `${at}network-alias ${networkAlias} is a name in a network: say in which one, by network`,
    );
  }
  return {
    ...{ runtime: values.runtime, replicas: values.replicas, surge: values.surge },
    ...{
      proxy,
      proxySocket: values.proxySocket,
      proxyIdleMs: values.proxyIdleTimeout,
      network,
      networkAlias,
    },
    ...{ proxyProtocol: values.proxyProtocol, maximumConnections: values.maxConnections },
    healthEveryMs: values.healthInterval,
    mappings: mappingsOf(values),
    command: values.cmd ?? [],
    runOptions: run.options,
    baseName: run.name ?? source.name ?? values.name ?? appNameOf(registry, source.directory),
    stopOnExit: values.stopOnExit,
  };
}

function proxyProblems(proxy: ContainerOptions["proxy"], values: OptionValues): string[] {
  const ofBuiltIn = (["proxyProtocol", "maxConnections"] as const)
    .filter((name) => proxy !== "built-in" && values[name] !== undefined)
    .map((name) => `${dashed(name)} is for proxy built-in, not for ${proxy}`);
  if (proxy === "haproxy" && values.proxySocket === undefined) {
    return [...ofBuiltIn, "proxy haproxy: say where its runtime API is by proxy-socket"];
  }
  if (proxy === "haproxy" || values.proxySocket === undefined) return ofBuiltIn;
  return [...ofBuiltIn, "proxy-socket is for proxy haproxy"];
}

function mappingsOf({ port = [], containerPort }: OptionValues): PortMapping[] {
  if (port.length === 0 && containerPort) return [{ port: containerPort, containerPort }];
  return port.map((mapping) => ({
    port: mapping.port,
    containerPort: mapping.containerPort ?? (containerPort || undefined),
  }));
}

function runOptionsOf({ command, commandPlace, place }: AppSource, problems: string[]) {
  try {
    return parseRunOptions(command);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(`${place ? `${commandPlace}: ` : ""}${lineOf(error)}`);
    return { options: [], name: undefined };
  }
}
