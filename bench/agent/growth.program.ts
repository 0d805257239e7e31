import { setImmediate } from "node:timers/promises";
import { openAgent } from "../../src/agent/agent.ts";
import type { AppOptions } from "../../src/agent/app-options.ts";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { openLogger } from "../../src/base/pino-logger.ts";
import type { GrowthReading, GrowthReport } from "./growth.ts";

/** `growth.program.js IMG_URL DIRECTORY WARM_UP POLLS`, with `--expose-gc`; writes a report. */
const [registry = "", directory = "", ...counts] = process.argv.slice(2);
const [warmUp = 0, polls = 0] = counts.map(Number);
const stop = new AbortController();
const megabyte = 1024 ** 2;

let polled = 0;
let aheadMs = 0;
const readings: GrowthReading[] = [];
/** Only `follow` waits by this clock while nothing is deployed: each wait is a poll. */
const clock: Clock = {
  now: () => new Date(Date.now() + aheadMs),
  async sleep(ms, { signal }) {
    signal.throwIfAborted();
    aheadMs += ms;
    polled++;
    if (polled === warmUp || polled === warmUp + polls) readings.push(await reading());
    if (polled === warmUp + polls) stop.abort(new Error("measured"));
    await setImmediate(undefined, { signal });
  },
};

const logger = openLogger({ level: "warn", format: "text" });
const parts = { clock, logger, environment: process.env, onRestart: () => () => {}, version: "0" };
const agent = await openAgent({ telemetry: undefined, adminPort: 0 }, parts, stop);
const began = performance.now();
const app: AppOptions = {
  ...{ name: "app", mode: "assets", registry, directory, ports: [], command: [] },
  ...{ intervalMs: 10_000, drainMs: 0, cache: undefined, notifiers: [], scrubEnvironment: false },
  ...{ failureLimit: 3, handover: false, environment: process.env, userAgent: "dewy/bench" },
};
await agent.run(app, logger, stop).catch((error: unknown) => {
  if (!stop.signal.aborted) throw error;
});
await agent.close();
const seconds = (performance.now() - began) / 1000;
process.stdout.write(JSON.stringify({ readings, seconds } satisfies GrowthReport));

/** Twice: as it stands, and after everything that is garbage has gone. */
async function reading(): Promise<GrowthReading> {
  const residentMb = process.memoryUsage.rss() / megabyte;
  for (let left = 3; left > 0; left--) {
    globalThis.gc?.();
    await systemClock.sleep(100, stop);
  }
  const { rss, heapUsed } = process.memoryUsage();
  return { residentMb, residentAfterGcMb: rss / megabyte, heapMb: heapUsed / megabyte };
}
