import type { AppOptions } from "../../agent/app-options.ts";
import { ConfigError } from "../../base/errors.ts";
import type { CommandContext } from "../command.ts";
import { placesOf } from "../control/place.ts";
import { findDewyYaml } from "../dewy-yaml.ts";
import { variableOf } from "../options/option.ts";
import { planOf } from "../plan.ts";

/** Where somebody says that the history is. */
export interface Asked {
  directory?: string | undefined;
  config?: string | undefined;
  registry?: string | undefined;
  app?: string | undefined;
}

/** A registry by its URL, and the apps that follow it, where that is known. */
export interface RegistryPlace {
  url: string;
  app: string | undefined;
}

/**
 * The directories of the apps: the one that is named, those of a `dewy.yaml`, or the working one.
 *
 * @throws {ConfigError} when that is none of an app
 */
export async function directoriesOf(
  { directory, config, registry }: Asked,
  context: CommandContext,
): Promise<string[]> {
  if (registry !== undefined) throw new ConfigError("--registry is what --remote asks: add that");
  const places = await placesOf({ directory, config }, context);
  return [...new Set(places.map((place) => place.directory))];
}

/** The registries to ask: the one that is named, or those of a `dewy.yaml`, each once. */
export async function registriesOf(
  { directory, config, registry, app: wanted }: Asked,
  context: CommandContext,
): Promise<RegistryPlace[]> {
  if (directory !== undefined) throw twoPlaces("--directory", "--remote");
  if (registry !== undefined && config !== undefined) throw twoPlaces("--registry", "--config");
  const apps = registry === undefined ? await appsIn(config, context) : undefined;
  const url = registry ?? context.environment[variableOf("registry")];
  if (apps) return followedBy(apps, wanted);
  if (!url) {
    throw new ConfigError("--registry is missing", {
      hint: "say which registry to ask, such as --registry ghr://owner/repository",
    });
  }
  if (wanted !== undefined) {
    throw new ConfigError(
      "--app has no meaning for a registry, which does not know its followers",
      {
        hint: "name the dewy.yaml that does, by --config",
      },
    );
  }
  return [{ url, app: undefined }];
}

async function appsIn(
  config: string | undefined,
  context: CommandContext,
): Promise<readonly AppOptions[] | undefined> {
  const file = await findDewyYaml(config, context);
  return file === undefined ? undefined : (await planOf(file, () => undefined, context)).apps;
}

function followedBy(apps: readonly AppOptions[], wanted: string | undefined): RegistryPlace[] {
  const asked = apps.filter(({ name }) => wanted === undefined || name === wanted);
  if (asked.length === 0) {
    throw new ConfigError(`--app: there is no app ${wanted} in dewy.yaml`, {
      hint: `choose from: ${apps.map(({ name }) => name).join(", ")}`,
    });
  }
  const urls = [...new Set(asked.map(({ registry }) => registry))];
  return urls.map((url) => {
    const followers = apps.filter(({ registry }) => registry === url);
    return { url, app: followers.map(({ name }) => name).join(", ") };
  });
}

function twoPlaces(one: string, other: string): ConfigError {
  return new ConfigError(`${one} is of no use with ${other}`, { hint: "leave one of them out" });
}
