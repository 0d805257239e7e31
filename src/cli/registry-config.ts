import { join, resolve } from "node:path";
import { isEchoOf } from "../base/call.ts";
import { ConfigError, DewyError, messageOf } from "../base/errors.ts";
import { defaultSource, placedRegistryConfig, type RegistryConfig } from "../registry/config.ts";
import type { Placed } from "../registry/config-document.ts";
import type { CommandContext } from "./command.ts";
import { configTextAt } from "./config-text.ts";

/**
 * The configuration in the file that was named, else in the one that REGISTRY_CONFIGURATION_PATH
 * names, else the defaults.
 *
 * @throws {ConfigError}
 */
export async function registryConfigOf(
  operand: string | undefined,
  context: Pick<CommandContext, "environment" | "directory" | "signal">,
): Promise<RegistryConfig> {
  return (await placedConfigOf(operand, context)).value;
}

/** The same, with what it is called and the place of each key. @throws {ConfigError} */
export async function placedConfigOf(
  operand: string | undefined,
  { environment, directory, signal }: Pick<CommandContext, "environment" | "directory" | "signal">,
): Promise<Placed<RegistryConfig> & { file: string }> {
  const file = operand ?? (environment.REGISTRY_CONFIGURATION_PATH || undefined);
  if (file === undefined) {
    const source = defaultSource(join(directory, ".dewy", "registry"), environment);
    return { ...placedRegistryConfig(source), file: source.file };
  }
  try {
    const text = await configTextAt(resolve(directory, file), { signal });
    return { ...placedRegistryConfig({ file, text, environment }), file };
  } catch (error) {
    if (error instanceof DewyError || isEchoOf(signal, error)) throw error;
    throw new ConfigError(`the config file ${file} cannot be read: ${messageOf(error)}`, {
      cause: error,
      hint: "name a config.yml that is there, or none for the defaults",
    });
  }
}
