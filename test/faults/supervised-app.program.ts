import { join } from "node:path";
import { openSupervisor } from "../../src/agent/supervisor/supervisor.ts";
import { takeOver } from "../../src/agent/supervisor/takeover.ts";
import { openWorkerRecord } from "../../src/agent/supervisor/worker-record.ts";
import { openLogger } from "../../src/base/pino-logger.ts";

/** An agent's supervisor alone: `supervised-app.program.js DIRECTORY PORT`. Says when it is up. */
const [, , directory = ".", port = "0"] = process.argv;
const logger = openLogger({ level: "error", format: "text" });
const call = new AbortController();
const drainMs = 2_000;

const record = await openWorkerRecord(join(directory, ".dewy/workers.json"), logger);
const options = { ports: [Number(port)], record, drainMs, logger };
const { listeners, endPredecessors } = await takeOver(options, call);
const orphans = await endPredecessors();
const supervisor = openSupervisor({
  command: [process.execPath, "app.mjs"],
  directory,
  environment: { PATH: process.env.PATH },
  listeners,
  record,
  drainMs,
  minimumUptimeMs: 50,
  logger,
});
process.once("SIGTERM", () => {
  void supervisor.stop().finally(() => process.exit(0));
});

(await supervisor.start(call)).commit();
await orphans.drained;
process.stdout.write(`up ${supervisor.running?.pid}\n`);
