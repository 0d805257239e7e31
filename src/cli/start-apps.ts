import { isDeepStrictEqual } from "node:util";
import type { AppOptions } from "../agent/app-options.ts";
import { runApps } from "../agent/apps/apps.ts";
import { reloadFrom } from "../agent/apps/reload.ts";
import { type ServeOptions, serve } from "../agent/serve.ts";
import { type Call, isEchoOf } from "../base/call.ts";
import { ConfigError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { openLogger } from "../base/pino-logger.ts";
import type { CommandContext, Plan, PlanSource } from "./command.ts";

/** Runs the apps of a plan until the context's signal; those of a file also as it is changed to. */
export async function startApps(plan: Plan, context: CommandContext): Promise<void> {
  const { signal, clock } = context;
  const { logLevel: level, logFormat: format } = plan.process;
  const logger = openLogger({ level, format });
  const runApp = async (app: AppOptions, own: Logger, call: Call): Promise<void> => {
    await serve(serveOptionsOf(app), { clock, logger: own }, call);
  };
  try {
    if (plan.source) {
      const onReload = reloadOf(plan.source, plan, context, logger);
      const run = (app: AppOptions, call: Call) =>
        runApp(app, logger.with({ app: app.name }), call);
      await runApps(plan.apps, { run, onReload, clock, logger }, context);
    } else {
      await Promise.all(plan.apps.map((app) => runApp(app, logger, context)));
    }
  } catch (error) {
    if (!isEchoOf(signal, error)) throw error;
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

function serveOptionsOf(app: AppOptions): ServeOptions {
  const [program, ...args] = app.command;
  if (program === undefined) throw new ConfigError(`${app.name}: there is no command to run`);
  return { ...app, command: [program, ...args] };
}
