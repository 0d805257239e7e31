import { runApp } from "../../src/agent/app.ts";
import { openCachePool } from "../../src/agent/cache-pool.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { openLogger } from "../../src/base/pino-logger.ts";

/**
 * `dewy container` with two replicas, which kills itself with SIGKILL as it enters the given phase of a
 * deployment: `container-agent.program.js PHASE REGISTRY PORT DIRECTORY`.
 */
const [deadly, registry = "", port, directory = ""] = process.argv.slice(2);

const http = openHttpClient({ userAgent: "dewy/test", environment: process.env });

await runApp(
  {
    ...{ name: "app", mode: "container", registry, directory, cache: undefined, notifiers: [] },
    ...{ ports: [Number(port)], command: [], handover: false, scrubEnvironment: false },
    ...{ intervalMs: 1000, drainMs: 5000, failureLimit: 1 },
    ...{ environment: process.env, userAgent: "dewy/test" },
    container: {
      ...{ runtime: "docker", replicas: 2, surge: 1, baseName: "app", stopOnExit: false },
      ...{
        proxy: "built-in",
        proxySocket: undefined,
        proxyIdleMs: 0,
        healthEveryMs: 2_000,
        proxyProtocol: undefined,
      },
      ...{ network: undefined, networkAlias: undefined, maximumConnections: undefined },
      ...{ mappings: [{ port: Number(port), containerPort: 8080 }], command: [], runOptions: [] },
    },
  },
  {
    http,
    caches: openCachePool({ http, clock: systemClock, environment: process.env }),
    version: "test",
    host: "test",
    observe: () => {},
    isLast: () => true,
    onRestart: () => () => {},
    clock: systemClock,
    logger: openLogger({ level: "info", format: "text" }),
    entered(phase) {
      if (phase === deadly) process.kill(process.pid, "SIGKILL");
    },
  },
  { signal: new AbortController().signal },
);
