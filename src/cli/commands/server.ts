import { hostname } from "node:os";
import { resolve } from "node:path";
import * as v from "valibot";
import { runApp } from "../../agent/app.ts";
import { parsePorts } from "../../agent/supervisor/port-range.ts";
import { isEchoOf } from "../../base/call.ts";
import { ConfigError } from "../../base/errors.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { openLogger } from "../../base/pino-logger.ts";
import { Seconds } from "../../base/schema.ts";
import { command } from "../command.ts";
import { version } from "../version.ts";

const levels = ["debug", "info", "warn", "error"] as const;

export const server = command({
  operands: "[command...]",
  flags: {
    registry: {
      value: "URL",
      help: "where releases are announced: ghr://owner/repository, img://host/repository, s3://region/bucket/prefix, gs://bucket/prefix or grpc://host:port",
    },
    port: {
      value: "PORTS",
      short: "p",
      many: true,
      help: "the ports it serves: 8000, 8000,8001 or 8000-8005; none for a worker",
    },
    interval: {
      value: "TIME",
      short: "i",
      help: "how often to look: seconds, or a duration such as 1m30s (default 10)",
    },
    directory: {
      value: "PATH",
      short: "d",
      help: "where current and releases/ are (default: the working directory)",
    },
    drainTime: {
      value: "TIME",
      help: "how long a replaced process may take to finish its requests (default 30)",
    },
    beforeDeployHook: {
      value: "COMMAND",
      help: "run by sh before the switch; when it fails, nothing is deployed",
    },
    afterDeployHook: {
      value: "COMMAND",
      help: "run by sh after the switch; when it fails, the deployment stands",
    },
    logLevel: { value: "LEVEL", short: "l", help: `${levels.join(", ")} (default info)` },
    logFormat: { value: "FORMAT", short: "f", help: "text or json (default text)" },
  },
  epilogue:
    "The command is started in the directory, so that current/app is the newest release's app:\n" +
    "  dewy server --registry ghr://owner/app --port 8000 -- current/app",
  input: v.strictObject({
    registry: v.optional(v.string()),
    port: v.optional(v.array(v.string()), []),
    interval: v.optional(v.pipe(Seconds, v.minValue(1000, "ask once a second at the most")), "10"),
    directory: v.optional(v.pipe(v.string(), v.minLength(1, "name a directory, or leave it out"))),
    drainTime: v.optional(Seconds, "30"),
    beforeDeployHook: v.optional(v.string()),
    afterDeployHook: v.optional(v.string()),
    logLevel: v.optional(
      v.pipe(
        v.string(),
        v.toLowerCase(),
        v.picklist(levels, `choose one of: ${levels.join(", ")}`),
      ),
      "info",
    ),
    logFormat: v.optional(
      v.pipe(v.string(), v.toLowerCase(), v.picklist(["text", "json"], "choose text or json")),
      "text",
    ),
    operands: v.array(v.string()),
  }),

  async run({ registry, ...input }, context) {
    if (registry === undefined) {
      throw new ConfigError("--registry is missing", {
        hint: "say where releases are announced, such as --registry ghr://owner/repository",
      });
    }
    const [program, ...args] = input.operands;
    if (!program || input.operands.some((word) => word.includes("\0"))) {
      throw new ConfigError("there is no command to run", {
        hint: "write it after --, such as: dewy server --registry … -- current/app",
      });
    }
    const directory = resolve(context.directory, input.directory ?? ".");
    const userAgent = `dewy/${version()}`;
    const { environment } = context;
    const http = openHttpClient({ userAgent, environment });
    try {
      await runApp(
        {
          name: "app",
          mode: "server",
          registry,
          ports: parsePorts(input.port),
          command: [program, ...args],
          directory,
          intervalMs: input.interval,
          drainMs: input.drainTime,
          cache: undefined,
          notifiers: [],
          beforeDeployHook: input.beforeDeployHook,
          afterDeployHook: input.afterDeployHook,
          scrubEnvironment: false,
          environment,
          userAgent,
        },
        {
          http,
          version: version(),
          host: hostname(),
          clock: context.clock,
          logger: openLogger({ level: input.logLevel, format: input.logFormat }),
          observe: () => {},
          onRestart: () => () => {},
        },
        context,
      );
    } catch (error) {
      if (!isEchoOf(context.signal, error)) throw error;
    } finally {
      http.close();
    }
  },
});
