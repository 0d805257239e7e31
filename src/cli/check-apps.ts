import type { AppOptions, ProcessOptions } from "../agent/app-options.ts";
import { refuseConflicts } from "../agent/apps/conflict.ts";
import { openCache } from "../agent/caches/index.ts";
import { rulesOf } from "../agent/choose/rules.ts";
import { thisHost } from "../agent/host.ts";
import { openNotifiers } from "../agent/notifiers/index.ts";
import { openNotify } from "../agent/readiness/notification.ts";
import { openReleaseRegistry } from "../agent/registries/index.ts";
import { readOtlpTarget } from "../agent/telemetry/otlp-target.ts";
import { openVerification } from "../agent/verify/index.ts";
import type { Environment } from "../base/environment.ts";
import { ConfigError, lineOf } from "../base/errors.ts";
import { type HttpClient, openHttpClient } from "../base/http-client.ts";
import { silentLogger } from "../base/logger.ts";
import type { CommandContext } from "./command.ts";

/**
 * Looks into what the apps' URLs say, and for what they need of the environment, as a start would.
 * Nobody is asked.
 *
 * @throws {ConfigError} with a line for each mistake, naming `file` and the app
 */
export async function checkApps(
  apps: readonly AppOptions[],
  file: string,
  { telemetry }: ProcessOptions,
  { environment, clock, signal }: CommandContext,
): Promise<void> {
  const http = openHttpClient({ userAgent: "dewy", environment });
  const problems: string[] = [];
  const check = async (place: string, work: () => Promise<void> | void) => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(`${place}${lineOf(error).replace(/^--/, "")}`);
    }
  };
  const parts = { http, environment, clock, logger: silentLogger };
  try {
    await check(`${file}: `, () => refuseConflicts(apps));
    await check(`${file}: `, () => checkEndpoint(telemetry, environment));
    for (const app of apps) {
      await check(`${file}: ${app.name}: `, () => checkRegistry(app, parts));
      await check(`${file}: ${app.name}: `, async () => {
        if (app.health?.notify) await openNotify(app.health.notify, app);
      });
      await check(`${file}: ${app.name}: `, async () => {
        await (await openCache(app.cache, parts)).close();
      });
      for (const url of app.notifiers) {
        await check(`${file}: ${app.name}: `, () => checkNotifier(url, app, parts, signal));
      }
    }
  } finally {
    http.close();
  }
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
}

async function checkEndpoint(
  telemetry: ProcessOptions["telemetry"],
  environment: Environment,
): Promise<void> {
  const { endpoint, insecure } = telemetry ?? {};
  if (endpoint) await readOtlpTarget({ endpoint, insecure: insecure ?? false, environment });
}

type Parts = Pick<CommandContext, "environment" | "clock"> & {
  http: HttpClient;
  logger: typeof silentLogger;
};

async function checkRegistry(app: AppOptions, parts: Parts): Promise<void> {
  const { registry, rules } = await openReleaseRegistry(app.registry, parts);
  try {
    await rulesOf(rules, app, thisHost());
    const asked = { inQuery: rules.verify, clock: parts.clock };
    await openVerification(app.verify ?? {}, asked);
  } finally {
    await registry.close();
  }
}

async function checkNotifier(
  url: string,
  { name, mode, directory }: AppOptions,
  parts: Parts,
  signal: AbortSignal,
): Promise<void> {
  const identity = { app: name, host: "localhost", mode };
  const opened = await openNotifiers([url], { ...parts, identity, directory });
  await opened.close({ signal });
}
