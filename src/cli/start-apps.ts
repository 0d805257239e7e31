import { isDeepStrictEqual } from "node:util";
import { setFlagsFromString } from "node:v8";
import { openAgent } from "../agent/agent.ts";
import type { AppOptions } from "../agent/app-options.ts";
import { runApps } from "../agent/apps/apps.ts";
import { reloadFrom } from "../agent/apps/reload.ts";
import { openSharedPorts } from "../agent/apps/shared-ports.ts";
import { handedSockets } from "../agent/supervisor/handed-sockets.ts";
import { openListeners } from "../agent/supervisor/listeners.ts";
import { type Call, isEchoOf } from "../base/call.ts";
import type { Logger } from "../base/logger.ts";
import { openLogger } from "../base/pino-logger.ts";
import type { CommandContext, Plan, PlanSource } from "./command.ts";
import { version } from "./version.ts";

/** Runs the apps of a plan until the context's signal; those of a file also as it is changed to. */
export async function startApps(plan: Plan, context: CommandContext): Promise<void> {
  const { signal, clock } = context;
  keepYoungGenerationSmall();
  const { logLevel: level, logFormat: format } = plan.process;
  const logger = openLogger({ level, format });
  const handed = handedSockets(context.environment, process.pid);
  const ports = openSharedPorts(openListeners, handed);
  const parts = { ...context, logger, listen: ports.listen, version: version() };
  const agent = await openAgent(plan.process, parts, context);
  try {
    if (plan.source) {
      const onReload = reloadOf(plan.source, plan, context, logger);
      const run = (app: AppOptions, call: Call) =>
        agent.run(app, logger.with({ app: app.name }), call);
      await runApps(plan.apps, { run, onReload, ports, clock, logger }, context);
    } else {
      await Promise.all(plan.apps.map((app) => agent.run(app, logger, context)));
    }
  } catch (error) {
    if (!isEchoOf(signal, error)) throw error;
  } finally {
    await agent.close();
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

/**
 * Through the agent goes much that is garbage at once, such as the pieces of an artifact. V8 would
 * answer with a young generation of 48 MB and keep it, to collect less often; we have the time.
 */
function keepYoungGenerationSmall(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}
