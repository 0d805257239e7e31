import type { AppOptions } from "../agent/app-options.ts";
import { refuseConflicts } from "../agent/apps/conflict.ts";
import { openCache } from "../agent/caches/index.ts";
import { rulesOf } from "../agent/choose/rules.ts";
import { thisHost } from "../agent/host.ts";
import { openNotifiers } from "../agent/notifiers/index.ts";
import { openReleaseRegistry } from "../agent/registries/index.ts";
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
    for (const app of apps) {
      await check(`${file}: ${app.name}: `, () => checkRegistry(app, parts));
      await check(`${file}: ${app.name}: `, () => checkCache(app, parts));
      await check(`${file}: ${app.name}: `, () => checkNotifiers(app, parts, signal));
    }
  } finally {
    http.close();
  }
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
}

type Parts = Pick<CommandContext, "environment" | "clock"> & {
  http: HttpClient;
  logger: typeof silentLogger;
};

async function checkRegistry(app: AppOptions, parts: Parts): Promise<void> {
  const { registry, rules } = await openReleaseRegistry(app.registry, parts);
  try {
    await rulesOf(rules, app, thisHost());
  } finally {
    await registry.close();
  }
}

async function checkCache({ cache }: AppOptions, parts: Parts): Promise<void> {
  await (await openCache(cache, parts)).close();
}

async function checkNotifiers(app: AppOptions, parts: Parts, signal: AbortSignal): Promise<void> {
  const { name, mode, directory, notifiers } = app;
  const identity = { app: name, host: "localhost", mode };
  const opened = await openNotifiers(notifiers, { ...parts, identity, directory });
  await opened.close({ signal });
}
