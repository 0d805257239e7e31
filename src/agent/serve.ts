import { join } from "node:path";
import { type Call, isEchoOf } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import { ConfigError, DewyError, messageOf, systemCodeOf } from "../base/errors.ts";
import { openHttpClient } from "../base/http-client.ts";
import type { Logger } from "../base/logger.ts";
import { choose } from "./choose/choose.ts";
import { openArtifactStore } from "./deploy/artifact-store.ts";
import { type DeployParts, deploy } from "./deploy/deploy.ts";
import { recover } from "./deploy/recover.ts";
import { openReleases, ReleasesError } from "./deploy/releases.ts";
import { follow } from "./follow.ts";
import { thisHost } from "./host.ts";
import { openLedger, type Phase } from "./ledger/ledger.ts";
import { type Lock, openLock } from "./ledger/lock.ts";
import { type OpenedReleaseRegistry, openReleaseRegistry } from "./registries/index.ts";
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
  environment: Readonly<Record<string, string | undefined>>;
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
  const { environment, directory } = options;
  const http = openHttpClient({ userAgent: options.userAgent, environment });
  try {
    const source = await openReleaseRegistry(options.registry, { http, environment, ...parts });
    const lock = await lockOf(directory, call);
    if (!lock.held) parts.logger.warn("The disk is full: going on without a lock", { directory });
    try {
      return await withLock(options, { ...parts, source }, call);
    } finally {
      await lock.close();
      await source.registry.close();
    }
  } finally {
    http.close();
  }
}

async function withLock(
  options: ServeOptions,
  { source, ...parts }: ServeParts & { source: OpenedReleaseRegistry },
  call: Call,
): Promise<never> {
  const { clock, logger } = parts;
  const { ports, command, directory, drainMs, environment } = options;
  const kept = await keptIn(directory, () => openKept(directory, parts));
  const { record } = kept;
  const { listeners } = await takeOver({ ports, record, drainMs, logger, clock }, call).catch(
    asConfig,
  );
  const supervisor = openSupervisor({
    ...{ command, directory, environment, listeners, record, drainMs, logger, clock },
  });
  try {
    const { ledger } = kept;
    const { registry } = source;
    const rules = { ...source.rules, ...thisHost() };
    const choosing = { clock, logger, warned: new Set<string>() };
    const deployParts = { ...parts, ...kept, registry, supervisor };
    logger.info("Dewy started", { registry: registry.name, ports, directory });
    await recover(deployParts);
    return await follow(
      {
        choose: (each) => choose(registry, rules, choosing, each),
        deploy: (choice, each) => deploy(choice, deployParts, each),
        keepRunning: startedOnce(deployParts, supervisor),
        ledger,
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

/** @throws {ConfigError} when another agent is there, or nothing can be kept there. */
function lockOf(directory: string, call: Call): Promise<Lock> {
  return keptIn(directory, () => openLock(join(directory, ".dewy", "lock"), directory, call));
}

/** What outlives the agent, on disk. */
async function openKept(directory: string, { clock, logger }: ServeParts) {
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

/** @throws {ConfigError} for what the system refuses, and what is in the way of our own files */
async function keptIn<Result>(directory: string, open: () => Promise<Result>): Promise<Result> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof ReleasesError) {
      const { message, hint } = error;
      throw new ConfigError(message, { cause: error, ...(hint && { hint }) });
    }
    if (systemCodeOf(error) === undefined || error instanceof DewyError) throw error;
    throw new ConfigError(`nothing can be kept in ${directory}: ${messageOf(error)}`, {
      cause: error,
      hint: "make it writable, or name another by --directory",
    });
  }
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
function asConfig(error: unknown): never {
  if (!(error instanceof SupervisorError)) throw error;
  throw new ConfigError(error.message, { cause: error, ...(error.hint && { hint: error.hint }) });
}
