import { spawn } from "node:child_process";
import { openAppOutput } from "../../src/agent/output/app-output.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openLogger } from "../../src/base/pino-logger.ts";

/** Runs `sh -c COMMAND` and takes in what it writes, until it is killed: `output.program.js DIRECTORY COMMAND`. */
const [directory = "", command = ""] = process.argv.slice(2);
const output = await openAppOutput({
  ...{ directory, environment: process.env, clock: systemClock, tag: async () => "v1.0.0" },
  logger: openLogger({ level: "info", format: "text" }),
});
const ends = await output.open(1, { signal: new AbortController().signal });
if (!ends) throw new Error("there are no pipes");
spawn("/bin/sh", ["-c", command], {
  detached: true,
  stdio: ["ignore", ends.stdout, ends.stderr],
});
ends.given();
setInterval(() => {}, 1_000);
