import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { runApp } from "../../src/agent/app.ts";
import { openCachePool } from "../../src/agent/cache-pool.ts";
import { systemClock } from "../../src/base/clock.ts";
import { systemCodeOf } from "../../src/base/errors.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { openLogger } from "../../src/base/pino-logger.ts";

/**
 * `dewy server`, which kills itself with SIGKILL as it enters the given phase of a deployment, or as an
 * event of this type happens: `agent.program.js STEP REGISTRY PORT DIRECTORY COMMAND…`. With
 * `HANDOVER=true` its ports have a keeper. With `FILL=PATH` it fills the disk of that file instead, as
 * soon as it enters the phase that `PATH.step` names.
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
    crashes: { crashLimit: 1, watchMs: 3_600_000 },
    rollbackHook: process.env.ROLLBACK_HOOK,
    environment: process.env,
    userAgent: "dewy/test",
  },
  {
    http,
    caches: openCachePool({ http, clock: systemClock, environment: process.env }),
    version: "test",
    host: "test",
    observe: ({ type }) => suffer(type),
    isLast: () => true,
    onRestart: () => () => {},
    clock: systemClock,
    logger: openLogger({ level: "info", format: "text" }),
    entered: suffer,
  },
  { signal: new AbortController().signal },
);

function suffer(step: string): void {
  if (step === deadly) process.kill(process.pid, "SIGKILL");
  const { FILL } = process.env;
  if (FILL && nameIn(`${FILL}.step`) === step) fill(FILL);
}

function nameIn(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** The last page, too: what is smaller than one fits no more. */
function fill(path: string): void {
  rmSync(`${path}.step`);
  const file = openSync(path, "a");
  for (let size = 64 * 1024; size >= 1; size >>= 1) {
    try {
      for (;;) writeSync(file, Buffer.alloc(size));
    } catch (error) {
      if (systemCodeOf(error) !== "ENOSPC") throw error;
    }
  }
  closeSync(file);
}
