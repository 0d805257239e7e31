import { runApp } from "../../src/agent/app.ts";
import { openCachePool } from "../../src/agent/cache-pool.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { openLogger } from "../../src/base/pino-logger.ts";

/**
 * `dewy server`, which kills itself with SIGKILL as it enters the given phase of a deployment, or as an
 * event of this type happens: `agent.program.js STEP REGISTRY PORT DIRECTORY COMMAND…`. With
 * `HANDOVER=true` its ports have a keeper.
 */
const [deadly, registry = "", port, directory = "", program = "", ...args] = process.argv.slice(2);

const http = openHttpClient({ userAgent: "dewy/test", environment: process.env });

await runApp(
  {
    name: "app",
    mode: "server",
    registry,
    ports: [Number(port)],
    command: [program, ...args],
    directory,
    intervalMs: 1000,
    drainMs: 5000,
    handover: process.env.HANDOVER === "true",
    cache: undefined,
    notifiers: [],
    scrubEnvironment: false,
    failureLimit: 1,
    environment: process.env,
    userAgent: "dewy/test",
  },
  {
    http,
    caches: openCachePool({ http, clock: systemClock, environment: process.env }),
    version: "test",
    host: "test",
    observe: ({ type }) => dieAt(type),
    isLast: () => true,
    onRestart: () => () => {},
    clock: systemClock,
    logger: openLogger({ level: "info", format: "text" }),
    entered: dieAt,
  },
  { signal: new AbortController().signal },
);

function dieAt(step: string): void {
  if (step === deadly) process.kill(process.pid, "SIGKILL");
}
