import { resolve } from "node:path";
import type { AppOptions, ProcessOptions, WaveAsked } from "../../agent/app-options.ts";
import type { ContainerOptions } from "../../agent/containers/container-options.ts";
import type { Mode } from "../../agent/event.ts";
import type { HealthOptions } from "../../agent/readiness/health.ts";
import type { VerifyOptions } from "../../agent/verify/policy.ts";
import type { Environment } from "../../base/environment.ts";
import { version } from "../version.ts";
import { appNameOf } from "./app-name.ts";
import { containerOf } from "./container.ts";
import { firstOf, type Layer, valuesOf } from "./layer.ts";
import { dashed, isFor } from "./option.ts";
import { type OptionName, type OptionValues, optionEntries } from "./table.ts";

export interface AppSource {
  mode: Mode;
  /** The words of the command, and where they were written. */
  command: readonly string[];
  commandPlace: string;
  /** First the one that is heard first. */
  layers: readonly Layer[];
  /** The layers that are for this app alone: there, an option of the other mode is a mistake. */
  ownLayers: readonly Layer[];
  /** What a missing registry is said of; empty for the command line. */
  place: string;
  /** Its key below `apps`, which is its name whatever a variable says. */
  name?: string;
  /** Where it is unless somebody says otherwise; absolute. */
  directory: string;
}

export interface Surroundings {
  environment: Environment;
  userAgent: string;
}

/** The app that `source` describes. What is wrong is added to `problems`, and then it is of no use. */
export function appOf(
  source: AppSource,
  { environment, userAgent }: Surroundings,
  problems: string[],
): AppOptions {
  const { mode, command } = source;
  refuseForeign(source, problems);
  const values = valuesOf(source.layers, problems);
  if (!firstOf(source.layers, "registry")) problems.push(missingRegistry(source.place));
  if (mode === "server") checkServer(source, values, problems);
  checkHealth(source, values, problems);
  checkWaves(source, values, problems);
  const container = mode === "container" ? containerOf(source, values, problems) : undefined;
  const directory = resolve(source.directory, values.directory ?? ".");
  const registry = values.registry ?? "";
  return {
    name: source.name ?? values.name ?? appNameOf(registry, directory),
    ...{ mode, registry, directory, environment, userAgent },
    ports: mode === "assets" ? [] : portsOf(values, container),
    command: mode === "container" ? [] : command,
    container,
    ...{ intervalMs: values.interval, drainMs: values.drainTime },
    ...{ handover: values.handover },
    ...{ cache: values.cache, notifiers: values.notifier ?? [] },
    ...{ slot: values.slot, calver: values.calver, constraint: values.constraint },
    beforeDeployHook: values.beforeDeployHook,
    afterDeployHook: values.afterDeployHook,
    rollbackHook: values.rollbackHook,
    scrubEnvironment: values.scrubEnv,
    ...{ keepOutput: values.appLog, noticeLogTail: values.noticeLogTail },
    failureLimit: values.failureLimit,
    health: healthOf(values),
    verify: verifyOf(values),
    crashes: { crashLimit: values.crashLimit, watchMs: values.watch },
    ...{ windows: values.window ?? [], minimumAgeMs: values.minAge },
    waves: wavesOf(values),
    disk: { reserveBytes: values.diskReserve, budgetBytes: values.diskBudget },
  };
}

function verifyOf(values: OptionValues): VerifyOptions {
  return {
    policy: values.verify,
    keys: values.verifyKey ?? [],
    identity: values.verifyIdentity,
    issuer: values.verifyIssuer,
    trustRoot: values.verifyTrustRoot,
    predicateType: values.verifyPredicate,
    maximumAgeMs: values.verifyMaxAge,
  };
}

function healthOf(values: OptionValues): HealthOptions {
  return {
    path: values.healthPath,
    status: values.healthStatus,
    match: values.healthMatch,
    grpc: values.healthGrpc,
    notify: values.healthNotify,
    command: values.healthCommand,
    timeoutMs: values.healthTimeout,
    minimumUptimeMs: values.minUptime,
    bakeMs: values.bake,
  };
}

function wavesOf(values: OptionValues): WaveAsked | undefined {
  if (!values.waves) return undefined;
  return {
    ...{ plan: values.waves, label: values.waveLabel, soakMs: values.waveSoak },
    ...{ failureLimit: values.waveFailures, timeoutMs: values.waveTimeout },
  };
}

/** Hosts that share nothing would each be a fleet of one, which waits for nobody. */
function checkWaves(source: AppSource, values: OptionValues, problems: string[]): void {
  const { layers, place } = source;
  const at = (name: OptionName) => firstOf(layers, name)?.place ?? dashed(name);
  if (!values.waves) {
    for (const name of ["waveLabel", "waveSoak", "waveFailures", "waveTimeout"] as const) {
      if (!firstOf(source.ownLayers, name) || firstOf(layers, "waves")) continue;
      problems.push(`${at(name)}: there are no waves: write waves too, such as 1,10%,50%,100%`);
    }
    return;
  }
  const { cache = "" } = values;
  if (cache !== "" && !/^memory:|^file:\/*(\?|$)/i.test(cache)) return;
  const where = "redis://host:6379, s3://region/bucket or file:///directory of all hosts";
  problems.push(
    `${at("waves")}: ${place ? "" : "--"}cache has to be one that the hosts share, such as ${where}`,
  );
}

/** What would be asked of a port, or of an answer, that is not there. */
function checkHealth(
  { mode, place }: AppSource,
  { port, healthPath, healthGrpc, healthMatch, healthNotify }: OptionValues,
  problems: string[],
): void {
  if (mode === "assets") return;
  const at = place ? `${place}: ` : "";
  const [asks] = [healthPath && "health-path", healthGrpc && "health-grpc"].filter(Boolean);
  if (mode === "server" && asks && !port?.length) {
    problems.push(
      `${at}${asks} asks the first port, and there is none: give port, or health-command`,
    );
  }
  const firstFree = 3 + (port?.length ?? 0);
  if (healthNotify?.by === "descriptor" && healthNotify.number < firstFree) {
    problems.push(
      `${at}health-notify: the listening sockets are descriptors 3 to ${firstFree - 1}: write fd:${firstFree} or more`,
    );
  }
  if (healthMatch && !healthPath) {
    problems.push(`${at}health-match looks into the answer to health-path, which is missing`);
  }
}

export function surroundingsOf({ environment }: { environment: Environment }): Surroundings {
  return { environment, userAgent: `dewy/${version()}` };
}

/** What `values` say about the process. */
export function processOf(values: OptionValues): ProcessOptions {
  const { logLevel, logFormat, telemetry, otlpEndpoint, otlpInsecure } = values;
  const isOn = telemetry || otlpEndpoint !== undefined;
  return {
    ...{ logLevel, logFormat },
    telemetry: isOn ? { endpoint: otlpEndpoint, insecure: otlpInsecure } : undefined,
    adminPort: values.adminPort || defaultAdminPort,
  };
}

const defaultAdminPort = 17_539;

function missingRegistry(place: string): string {
  return place
    ? `${place}: registry is missing: say where releases are announced, such as registry: ghr://owner/repository`
    : "--registry is missing: say where releases are announced, such as --registry ghr://owner/repository";
}

function refuseForeign(source: AppSource, problems: string[]): void {
  const { mode, ownLayers, command, commandPlace } = source;
  for (const [name, option] of optionEntries) {
    if (isFor(option, mode)) continue;
    const found = firstOf(ownLayers, name);
    if (!found) continue;
    const why = mode === "assets" ? "starts nothing, and " : "";
    problems.push(`${found.place}: dewy ${mode} ${why}takes no ${dashed(name)}`);
  }
  if (mode === "assets" && command.length > 0) {
    problems.push(
      `${commandPlace}: dewy assets places files and starts nothing: leave the command out`,
    );
  }
}

function checkServer(source: AppSource, { port }: OptionValues, problems: string[]): void {
  checkCommand(source, problems);
  const mapped = port?.find(({ containerPort }) => containerPort !== undefined);
  if (!mapped) return;
  const place = firstOf(source.layers, "port")?.place ?? "--port";
  problems.push(`${place}: ${mapped.port}:${mapped.containerPort} is for dewy container`);
}

function portsOf({ port = [] }: OptionValues, container: ContainerOptions | undefined): number[] {
  if (container?.proxy === "none") return [];
  return (container?.mappings ?? port).map((mapping) => mapping.port);
}

function checkCommand(
  { command: words, commandPlace, place }: AppSource,
  problems: string[],
): void {
  if (words[0] && !words.some((word) => word.includes("\0"))) return;
  problems.push(
    place
      ? `${commandPlace}: there is no command to run: write command: [current/app], or mode: assets`
      : "there is no command to run: write it after --, such as: dewy server --registry … -- current/app",
  );
}
