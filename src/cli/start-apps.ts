import type { AppOptions } from "../agent/app-options.ts";
import { type ServeOptions, serve } from "../agent/serve.ts";
import { isEchoOf } from "../base/call.ts";
import { ConfigError } from "../base/errors.ts";
import { openLogger } from "../base/pino-logger.ts";
import type { CommandContext, Plan } from "./command.ts";

/** Runs the apps of a plan side by side until the context's signal. */
export async function startApps(plan: Plan, context: CommandContext): Promise<void> {
  const { logLevel: level, logFormat: format } = plan.process;
  const logger = openLogger({ level, format });
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const several = plan.apps.length > 1;
  const runs = plan.apps.map(async (app) => {
    const parts = {
      clock: context.clock,
      logger: several ? logger.with({ app: app.name }) : logger,
    };
    try {
      await serve(serveOptionsOf(app), parts, { signal });
    } catch (error) {
      if (isEchoOf(signal, error)) return;
      stop.abort(error);
      throw error;
    }
  });
  const ended = await Promise.allSettled(runs);
  const failed = ended.find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}

function serveOptionsOf(app: AppOptions): ServeOptions {
  const [program, ...args] = app.command;
  if (program === undefined) throw new ConfigError(`${app.name}: there is no command to run`);
  return { ...app, command: [program, ...args] };
}
