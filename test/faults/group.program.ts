import { runApp } from "../../src/agent/app.ts";
import type { AppOptions } from "../../src/agent/app-options.ts";
import { openCachePool } from "../../src/agent/cache-pool.ts";
import { openGroups } from "../../src/agent/groups/group.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { openLogger } from "../../src/base/pino-logger.ts";

/**
 * The apps of a group, as `APPS` describes them, in a process that kills itself with SIGKILL as the
 * group reaches a barrier of its second move, or as an app of it enters a phase:
 * `group.program.js prepared` or `group.program.js api:start`.
 */
const [deadly] = process.argv.slice(2);
const apps = JSON.parse(process.env.APPS ?? "[]") as AppOptions[];
const moved = process.env.TAG ?? "";

const http = openHttpClient({ userAgent: "dewy/test", environment: process.env });
const caches = openCachePool({ http, clock: systemClock, environment: process.env });
const logger = openLogger({ level: "info", format: "text" });
const groups = openGroups();
let phaseTags = new Map<string, string>();
const reached = (barrier: string) => dieAt(barrier, [...phaseTags.values()][0] ?? "");

await Promise.all(
  apps.map((app) =>
    runApp(
      app,
      {
        ...{ http, caches, logger, clock: systemClock, version: "test", host: "test" },
        group: groups.of(app.group, { clock: systemClock, logger, reached }),
        observe(event) {
          if (event.type === "polled" && event.tag) {
            phaseTags = new Map(phaseTags).set(app.name, event.tag);
          }
        },
        isLast: () => true,
        onRestart: () => () => {},
        entered: (phase) => dieAt(`${app.name}:${phase}`, phaseTags.get(app.name) ?? ""),
      },
      { signal: new AbortController().signal },
    ),
  ),
);

function dieAt(step: string, tag: string): void {
  if (step === deadly && tag === moved) process.kill(process.pid, "SIGKILL");
}
