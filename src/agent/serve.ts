import { join } from "node:path";
import { type Call, isEchoOf } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import { asConfigError, ConfigError, DewyError, messageOf, systemCodeOf } from "../base/errors.ts";
import { openHttpClient } from "../base/http-client.ts";
import type { Logger } from "../base/logger.ts";
import { type Choice, type ChoiceRules, choose } from "./choose/choose.ts";
import { rulesOf } from "./choose/rules.ts";
import { openArtifactStore } from "./deploy/artifact-store.ts";
import { type DeployParts, deploy } from "./deploy/deploy.ts";
import { type Hook, type RunHook, runHook } from "./deploy/hook.ts";
import { recover } from "./deploy/recover.ts";
import { openReleases, ReleasesError } from "./deploy/releases.ts";
import { follow } from "./follow.ts";
import { thisHost } from "./host.ts";
import { openLedger, type Phase } from "./ledger/ledger.ts";
import { openLock } from "./ledger/lock.ts";
import { type OpenedReleaseRegistry, openReleaseRegistry } from "./registries/index.ts";
import { withReport } from "./report.ts";
import { openSupervisor, type Supervisor } from "./supervisor/supervisor.ts";
import { SupervisorError } from "./supervisor/supervisor-error.ts";
import { takeOver } from "./supervisor/takeover.ts";
import { openWorkerRecord } from "./supervisor/worker-record.ts";

export interface ServeOptions {
  /** The URL where releases are announced. */
  registry: string;
  ports: readonly number[];
  command: readonly [string, ...string[]];
  /** Holds `current`, `releases/` and `.dewy/`; the command is started in it. */
  directory: string;
  intervalMs: number;
  drainMs: number;
  environment: Environment;
  /** Command lines for `sh -c`, run around each deployment. */
  beforeDeployHook?: string | undefined;
  afterDeployHook?: string | undefined;
  /** How requests introduce themselves. */
  userAgent: string;
}

export interface ServeParts {
  clock: Clock;
  logger: Logger;
  /** See `DeployParts`. */
  entered?: (phase: Phase) => void;
}

/**
 * Keeps one application on the newest release until the call ends, and then lets it drain.
 *
 * The last good release is in service before the registry is asked for the first time.
 *
 * @throws {ConfigError} for what cannot be meant or cannot be had, before anything was started.
 */
export async function serve(options: ServeOptions, parts: ServeParts, call: Call): Promise<never> {
  const { environment } = options;
  const http = openHttpClient({ userAgent: options.userAgent, environment });
  try {
    const source = await openReleaseRegistry(options.registry, { http, environment, ...parts });
    try {
      const rules = await rulesOf(source.rules, {}, thisHost());
      return await withRegistry(options, { ...parts, source, rules }, call);
    } finally {
      await source.registry.close();
    }
  } finally {
    http.close();
  }
}

type SourcedParts = ServeParts & { source: OpenedReleaseRegistry; rules: ChoiceRules };

async function withRegistry(
  options: ServeOptions,
  parts: SourcedParts,
  call: Call,
): Promise<never> {
  const { directory } = options;
  const lock = await inPlace(directory, call, () =>
    openLock(join(directory, ".dewy", "lock"), directory, call),
  );
  if (!lock.held) parts.logger.warn("The disk is full: going on without a lock", { directory });
  try {
    return await withLock(options, parts, call);
  } finally {
    await lock.close();
  }
}

async function withLock(
  options: ServeOptions,
  { source, rules, ...parts }: SourcedParts,
  call: Call,
): Promise<never> {
  const { clock, logger } = parts;
  const { ports, command, directory, drainMs, environment } = options;
  const { record, ...kept } = await inPlace(directory, call, () => openKept(directory, parts));
  const { listeners } = await takeOver({ ports, record, drainMs, logger, clock }, call).catch(
    refusePort,
  );
  const supervisor = openSupervisor({
    ...{ command, directory, environment, listeners, record, drainMs, logger, clock },
  });
  try {
    const { registry } = source;
    const choosing = { clock, logger, warned: new Set<string>() };
    const hooks = hooksOf(options, logger);
    const deployParts = { ...parts, ...kept, registry, supervisor, hooks };
    logger.info("Dewy started", { registry: registry.name, ports, directory });
    await recover(deployParts);
    return await follow(
      {
        choose: (each) => choose(registry, rules, choosing, each),
        deploy: (choice, each) => reported(choice, deployParts, each),
        keepRunning: startedOnce(deployParts, supervisor),
        ledger: kept.ledger,
        clock,
        logger,
        intervalMs: options.intervalMs,
      },
      call,
    );
  } finally {
    await supervisor.stop();
    listeners.close();
    logger.info("Dewy stopped");
  }
}

async function openKept(directory: string, { logger, clock }: ServeParts) {
  const keep = join(directory, ".dewy");
  const releases = await openReleases(directory, clock);
  await releases.current();
  return {
    releases,
    record: await openWorkerRecord(join(keep, "workers.json"), logger),
    ledger: await openLedger(join(keep, "ledger.json"), { logger, clock }),
    store: await openArtifactStore(join(keep, "artifacts"), logger),
  };
}

/** @throws {ConfigError} when `open` finds that nothing can be kept there, or something is in the way */
async function inPlace<Opened>(
  directory: string,
  { signal }: Call,
  open: () => Promise<Opened>,
): Promise<Opened> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof ReleasesError) throw asConfigError(error);
    if (error instanceof DewyError || isEchoOf(signal, error)) throw error;
    if (systemCodeOf(error) === undefined) throw error;
    throw new ConfigError(`nothing can be kept in ${directory}: ${messageOf(error)}`, {
      cause: error,
      hint: "make it writable and move out of it what is in the way, or name another by --directory",
    });
  }
}

function hooksOf(options: ServeOptions, logger: Logger): DeployParts["hooks"] {
  const { beforeDeployHook, afterDeployHook, directory, environment } = options;
  const hook = (name: Hook["name"], command: string | undefined): RunHook | undefined =>
    command === undefined
      ? undefined
      : (facts, call) =>
          runHook({ name, command }, facts, { directory, environment, logger }, call);
  const before = hook("before-deploy", beforeDeployHook);
  const after = hook("after-deploy", afterDeployHook);
  return { ...(before && { before }), ...(after && { after }) };
}

function reported(choice: Choice, parts: DeployParts, call: Call): Promise<void> {
  const { registry, logger } = parts;
  const target = {
    tag: choice.tag,
    identity: choice.artifact.identity,
    command: "server",
  } as const;
  return withReport(target, { registry, logger }, () => deploy(choice, parts, call), call);
}

/**
 * Puts what `current` names into service, once. Where that fails, it is tried again beside whatever is
 * asked and fetched meanwhile: a registry that is down, or an artifact that takes an hour, must not
 * keep the host without its app.
 */
function startedOnce(
  { releases, ledger, logger }: DeployParts,
  supervisor: Supervisor,
): (call: Call) => Promise<void> {
  let started = false;
  return async (call) => {
    if (supervisor.running) started = true;
    const current = started ? undefined : await releases.current();
    if (!current?.complete) return;
    const { active } = ledger.state;
    const tag = active?.directory === current.directory ? active.tag : undefined;
    started = true;
    try {
      const replacement = await supervisor.start(call);
      replacement.commit();
      logger.info("Server started", { tag, directory: current.directory, pid: replacement.pid });
    } catch (error) {
      if (isEchoOf(call.signal, error)) throw error;
      logger.error("the last good release could not be started", { tag, error });
      supervisor.keepTrying();
    }
  };
}

/** A port that cannot be had is a mistake in the command line, as far as this start is concerned. */
function refusePort(error: unknown): never {
  throw error instanceof SupervisorError ? asConfigError(error) : error;
}
