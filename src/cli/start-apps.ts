import { hostname } from "node:os";
import { isDeepStrictEqual } from "node:util";
import { runApp } from "../agent/app.ts";
import type { AppOptions } from "../agent/app-options.ts";
import { runApps } from "../agent/apps/apps.ts";
import { reloadFrom } from "../agent/apps/reload.ts";
import { openSharedPorts, type SharedPorts } from "../agent/apps/shared-ports.ts";
import { openHistory } from "../agent/history/history.ts";
import { type Call, isEchoOf } from "../base/call.ts";
import { type HttpClient, openHttpClient } from "../base/http-client.ts";
import type { Logger } from "../base/logger.ts";
import { openLogger } from "../base/pino-logger.ts";
import type { CommandContext, Plan, PlanSource } from "./command.ts";
import { version } from "./version.ts";

/** What is not written by then is given up: it waits for a disk. */
const historyTimeoutMs = 5_000;

/** Runs the apps of a plan until the context's signal; those of a file also as it is changed to. */
export async function startApps(plan: Plan, context: CommandContext): Promise<void> {
  const { signal, clock, environment } = context;
  const { logLevel: level, logFormat: format } = plan.process;
  const logger = openLogger({ level, format });
  const http = openHttpClient({ userAgent: `dewy/${version()}`, environment });
  const ports = openSharedPorts();
  const { listen } = ports;
  const run = (app: AppOptions, own: Logger, call: Call) =>
    runOne(app, { ...context, logger: own, http, listen }, call);
  try {
    if (plan.source) {
      const onReload = reloadOf(plan.source, plan, context, logger);
      const named = (app: AppOptions, call: Call) => run(app, logger.with({ app: app.name }), call);
      await runApps(plan.apps, { run: named, onReload, ports, clock, logger }, context);
    } else {
      await Promise.all(plan.apps.map((app) => run(app, logger, context)));
    }
  } catch (error) {
    if (!isEchoOf(signal, error)) throw error;
  } finally {
    http.close();
  }
}

interface OneParts extends Pick<CommandContext, "clock" | "onRestart"> {
  logger: Logger;
  http: HttpClient;
  listen: SharedPorts["listen"];
}

async function runOne(
  app: AppOptions,
  { clock, logger, ...parts }: OneParts,
  call: Call,
): Promise<void> {
  const identity = { app: app.name, host: hostname(), mode: app.mode };
  const history = openHistory(app.directory, { clock, logger, identity });
  const { observe } = history;
  try {
    await runApp(
      app,
      { ...parts, clock, logger, observe, host: identity.host, version: version() },
      call,
    );
  } finally {
    await history.close({ signal: AbortSignal.timeout(historyTimeoutMs) });
  }
}

/** The file again whenever it has changed. What is of the process is as it was when it started. */
function reloadOf(
  { path, text, read }: PlanSource,
  { process: before }: Plan,
  { clock }: CommandContext,
  logger: Logger,
) {
  const parse = async () => {
    const { apps, process: now } = await read();
    if (!isDeepStrictEqual(now, before)) {
      logger.warn("options of the process have changed, and hold when dewy is started again", {
        path,
      });
    }
    return apps;
  };
  return reloadFrom(path, parse, { clock, logger, before: text });
}
