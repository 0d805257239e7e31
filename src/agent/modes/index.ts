import { join } from "node:path";
import type { Call } from "../../base/call.ts";
import type { Environment } from "../../base/environment.ts";
import { asConfigError, ConfigError } from "../../base/errors.ts";
import type { HttpClient } from "../../base/http-client.ts";
import type { InTurn } from "../../base/turns.ts";
import { credentialsFrom } from "../../oci/credentials.ts";
import type { AppOptions } from "../app-options.ts";
import type { ContainerOptions } from "../containers/container-options.ts";
import { ContainerError, type ContainerRuntime } from "../containers/runtime.ts";
import type { HealthOptions } from "../readiness/health.ts";
import { openAssetsMode } from "./assets.ts";
import type { RunningMode } from "./mode.ts";
import { openServerMode, type ServerModeParts } from "./server.ts";

export interface ModeParts extends ServerModeParts {
  alone: InTurn;
  http: HttpClient;
  /** Of Dewy. */
  version: string;
  /** See `OpenedReleaseRegistry`. */
  plainHttp?: boolean | undefined;
  /** The agent's own, with what it signs in by. */
  environment: Environment;
}

/**
 * Opens what takes releases of this app into service.
 *
 * @throws {ConfigError} for what cannot be had, such as a port or an engine
 */
export async function openMode(
  options: AppOptions,
  parts: ModeParts,
  call: Call,
): Promise<RunningMode> {
  if (options.mode === "assets") return openAssetsMode(options, parts);
  const { container, health } = options;
  if (container)
    return openContainers({ ...options, container, health: health ?? mildHealth }, parts, call);
  return openServerMode(options, parts, call);
}

const mildHealth: HealthOptions = {
  status: [{ from: 200, to: 399 }],
  grpc: false,
  timeoutMs: 30_000,
  minimumUptimeMs: 1_000,
  bakeMs: 0,
};

/** Loaded only here: who runs no containers does not pay for them. */
async function openContainers(
  options: AppOptions & { container: ContainerOptions; health: HealthOptions },
  parts: ModeParts,
  call: Call,
): Promise<RunningMode> {
  const [
    { openContainerRuntime },
    { removeLeftCredentials },
    { openRestarts },
    { openDismissals },
    { openDataPlane },
    { openContainerMode },
    images,
  ] = await Promise.all([
    import("../containers/docker.ts"),
    import("../containers/pull-credential.ts"),
    import("../containers/restarts.ts"),
    import("../containers/dismissals.ts"),
    import("../proxy/index.ts"),
    import("./container.ts"),
    import("../containers/image-release.ts"),
  ]);
  const { container, environment, directory } = options;
  const kept = join(directory, ".dewy");
  await removeLeftCredentials(kept);
  const runtime = openContainerRuntime({ ...container, environment, directory: kept });
  await runtime.version(call).catch(refuseEngine);
  if (container.proxy === "nftables") await refuseRootless(runtime, call);
  const plane = await openDataPlane(
    { ...container, ports: options.ports, directory: kept },
    parts,
    call,
  );
  const pulling = {
    ...{ ...parts, runtime, plainHttp: parts.plainHttp ?? false },
    credentials: credentialsFrom(parts.environment, parts),
  };
  const restarts = await openRestarts(join(kept, "restarts.json"), parts);
  const dismissals = await openDismissals(join(kept, "dismissals.json"), parts);
  const own = { ...pulling, plane, restarts, dismissals, pull: images.openPull(pulling) };
  return { ...openContainerMode(options, own, call), prepare: images.openPrepareImage(pulling) };
}

async function refuseRootless(runtime: ContainerRuntime, call: Call): Promise<void> {
  if (!(await runtime.isRootless(call).catch(refuseEngine))) return;
  throw new ConfigError(
    `--proxy nftables: ${runtime.name} runs without root, and the kernel has no way to its containers`,
    { hint: "use --proxy built-in, or an engine that runs as root" },
  );
}

/** Whether the engine is there is found out before anything is started. */
function refuseEngine(error: unknown): never {
  throw error instanceof ContainerError ? asConfigError(error) : error;
}
