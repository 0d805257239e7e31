import * as v from "valibot";
import { bufferedOutput } from "../../base/buffered-output.ts";
import { asConfigError, DewyError } from "../../base/errors.ts";
import { openLogger } from "../../base/pino-logger.ts";
import { openAccessLog } from "../../registry/api/access-log.ts";
import { longestDrainMs, type RegistryConfig } from "../../registry/config.ts";
import { openRegistry } from "../../registry/registry.ts";
import { command } from "../command.ts";
import { registryConfigOf } from "../registry-config.ts";
import { version } from "../version.ts";

export const registryServe = command({
  operands: "[config.yml]",
  completes: "file",
  flags: {},
  epilogue: [
    "Without a file, which REGISTRY_CONFIGURATION_PATH may name as well, it listens on",
    "127.0.0.1:5000 and stores in .dewy/registry.",
  ].join("\n"),
  input: v.strictObject({
    operands: v.pipe(v.array(v.string()), v.maxLength(1, "give one config file at the most")),
  }),

  async run({ operands: [file] }, context) {
    const config = await registryConfigOf(file, context);
    const { level, formatter: format, fields } = config.log;
    const logger = openLogger({ level, format, fields });
    const output = bufferedOutput(1);
    const accessLog = openAccessLog({ format, fields }, output);
    const { clock, environment } = context;
    const parts = { clock, logger, accessLog, environment, version: version() };
    const registry = await openRegistry(config, parts).catch((error) => {
      // An address or directory that cannot be had is a mistake in the config, as far as a start goes.
      throw error instanceof DewyError ? asConfigError(error) : error;
    });
    const others = isEverywhere(config.http) ? " and this machine's other addresses" : "";
    context.note(`dewy: the registry listens on ${registry.address}${others}`);
    const { debugAddress } = registry;
    if (debugAddress) context.note(`dewy: health and metrics are at ${debugAddress}`);
    try {
      await endOf(context.signal);
      logger.info("registry is stopping");
    } finally {
      await registry.close({ signal: AbortSignal.timeout(longestDrainMs) });
      await output.close();
    }
  },
});

function isEverywhere({ addr, net }: RegistryConfig["http"]): boolean {
  return net === "tcp" && /^(?:|0\.0\.0\.0|\[::\]):/.test(addr);
}

function endOf(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}
