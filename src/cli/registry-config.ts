import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ConfigError, DewyError, messageOf } from "../base/errors.ts";
import {
  defaultRegistryConfig,
  parseRegistryConfig,
  type RegistryConfig,
} from "../registry/config.ts";
import type { CommandContext } from "./command.ts";

/**
 * The configuration in the file that was named, else in the one that REGISTRY_CONFIGURATION_PATH
 * names, else the defaults.
 *
 * @throws {ConfigError}
 */
export async function registryConfigOf(
  operand: string | undefined,
  { environment, directory }: Pick<CommandContext, "environment" | "directory">,
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
