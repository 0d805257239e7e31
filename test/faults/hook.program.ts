import { runHook } from "../../src/agent/deploy/hook.ts";
import { openLogger } from "../../src/base/pino-logger.ts";

/** Runs a hook in a directory, as an agent does: `hook.program.js DIRECTORY COMMAND`. */
const [directory = "", command = ""] = process.argv.slice(2);

await runHook(
  { name: "before-deploy", command },
  { tag: "v1.0.0", previousTag: undefined, releaseDirectory: directory },
  {
    directory,
    environment: process.env,
    logger: openLogger({ level: "info", format: "text" }),
    observe: () => {},
  },
  { signal: new AbortController().signal },
);
