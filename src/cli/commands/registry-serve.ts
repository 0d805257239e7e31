import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import * as v from "valibot";
import { ConfigError, messageOf } from "../../base/errors.ts";
import { openLogger } from "../../base/pino-logger.ts";
import {
  defaultRegistryConfig,
  parseRegistryConfig,
  type RegistryConfig,
} from "../../registry/config.ts";
import { openRegistry } from "../../registry/registry.ts";
import { type CommandContext, command } from "../command.ts";

export const registryServe = command({
  name: "registry serve",
  summary: "serve an OCI image registry",
  operands: "[config.yml]",
  flags: {},
  epilogue: "Without a file it listens on 127.0.0.1:5000 and stores in .dewy/registry.",
  input: v.strictObject({
    operands: v.pipe(v.array(v.string()), v.maxLength(1, "give one config file at the most")),
  }),

  async run({ operands: [file] }, context) {
    const config = await configOf(file, context);
    const logger = openLogger(config.log);
    const registry = await openRegistry(config, { clock: context.clock, logger });
    context.note(`dewy: the registry listens on ${registry.address}`);
    try {
      await new Promise((done) => context.signal.addEventListener("abort", done, { once: true }));
    } finally {
      await registry.close({ signal: AbortSignal.timeout(60_000) });
    }
  },
});

async function configOf(
  file: string | undefined,
  context: CommandContext,
): Promise<RegistryConfig> {
  if (file === undefined)
    return defaultRegistryConfig(join(context.directory, ".dewy", "registry"));
  let text: string;
  try {
    text = await readFile(resolve(context.directory, file), "utf8");
  } catch (error) {
    throw new ConfigError(`${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  return parseRegistryConfig(text, file);
}
