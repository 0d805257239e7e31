import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import * as v from "valibot";
import { asConfigError, ConfigError, DewyError, messageOf } from "../../base/errors.ts";
import { openLogger } from "../../base/pino-logger.ts";
import {
  defaultRegistryConfig,
  longestDrainMs,
  parseRegistryConfig,
  type RegistryConfig,
} from "../../registry/config.ts";
import { openRegistry } from "../../registry/registry.ts";
import { type CommandContext, command } from "../command.ts";

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
    const config = await configOf(file, context);
    const { level, formatter: format, fields } = config.log;
    const logger = openLogger({ level, format, fields });
    const { clock, environment } = context;
    const registry = await openRegistry(config, { clock, logger, environment }).catch((error) => {
      // An address or directory that cannot be had is a mistake in the config, as far as a start goes.
      throw error instanceof DewyError ? asConfigError(error) : error;
    });
    context.note(`dewy: the registry listens on ${registry.address}`);
    try {
      await endOf(context.signal);
      logger.info("registry is stopping");
    } finally {
      await registry.close({ signal: AbortSignal.timeout(longestDrainMs) });
    }
  },
});

async function configOf(
  operand: string | undefined,
  { environment, directory }: CommandContext,
): Promise<RegistryConfig> {
  const file = operand ?? (environment.REGISTRY_CONFIGURATION_PATH || undefined);
  if (file === undefined) {
    return defaultRegistryConfig(join(directory, ".dewy", "registry"), environment);
  }
  try {
    const text = await readFile(resolve(directory, file), "utf8");
    return parseRegistryConfig({ file, text, environment });
  } catch (error) {
    if (error instanceof DewyError) throw error;
    throw new ConfigError(`the config file ${file} cannot be read: ${messageOf(error)}`, {
      cause: error,
      hint: "name a config.yml that is there, or none for the defaults",
    });
  }
}

function endOf(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}
