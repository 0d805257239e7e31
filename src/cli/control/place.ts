import { basename, resolve } from "node:path";
import type { Situation } from "../../agent/control/situation.ts";
import { ConfigError } from "../../base/errors.ts";
import type { CommandContext, Flag } from "../command.ts";
import { findDewyYaml } from "../dewy-yaml.ts";
import { refuseOther } from "../history/local.ts";
import { variableOf } from "../options/option.ts";
import { planOf } from "../plan.ts";
import { shownRegistry } from "../shown-registry.ts";

/** Which apps somebody means. */
export interface AskedApps {
  directory?: string | undefined;
  config?: string | undefined;
  app?: string | undefined;
}

/** An app, as far as it is known without its agent. */
export type AppPlace = Pick<Situation, "app" | "directory" | "mode" | "registry">;

/** The flags that say which apps are meant. */
export const placeFlags = {
  directory: {
    value: "PATH",
    short: "d",
    completes: "directory",
    help: "where the app is deployed (default: as dewy.yaml says, or the working directory)",
  },
  config: {
    value: "PATH",
    completes: "file",
    help: "the dewy.yaml that describes the apps (default: the one in the working directory)",
  },
  app: { value: "NAME", help: "only this app of the dewy.yaml" },
  json: { help: "print JSON, for programs" },
} as const satisfies Record<string, Flag>;

/** @throws {ConfigError} when no such app was ever deployed here */
export async function placesOf(asked: AskedApps, context: CommandContext): Promise<AppPlace[]> {
  const { directory, config, app: wanted } = asked;
  if (directory !== undefined && config !== undefined) {
    throw new ConfigError("--directory is of no use with --config", {
      hint: "leave one of them out",
    });
  }
  if (directory === undefined) {
    const file = await findDewyYaml(config, context);
    if (file !== undefined) return describedIn(file, wanted, context);
  }
  if (wanted !== undefined) {
    throw new ConfigError("--app names an app of a dewy.yaml, and there is none here", {
      hint: "name the file by --config, or the app's directory by --directory",
    });
  }
  const variable = context.environment[variableOf("directory")] || ".";
  const place = resolve(context.directory, directory ?? variable);
  await refuseOther(place);
  return [{ app: basename(place) || "app", directory: place }];
}

/** @throws {ConfigError} when it is not said which one of several is meant */
export async function placeOf(asked: AskedApps, context: CommandContext): Promise<AppPlace> {
  const places = await placesOf(asked, context);
  const [only] = places;
  if (only && places.length === 1) return only;
  throw new ConfigError("it is not said which app is meant", {
    hint: `name one by --app: ${places.map(({ app }) => app).join(", ")}`,
  });
}

async function describedIn(
  file: string,
  wanted: string | undefined,
  context: CommandContext,
): Promise<AppPlace[]> {
  const { apps } = await planOf(file, () => undefined, context);
  const found = apps.filter(({ name }) => wanted === undefined || name === wanted);
  if (found.length === 0) {
    throw new ConfigError(`--app: there is no app ${wanted} in ${file}`, {
      hint: `choose from: ${apps.map(({ name }) => name).join(", ")}`,
    });
  }
  return found.map(({ name: app, directory, mode, registry }) => ({
    ...{ app, directory, mode },
    registry: shownRegistry(registry),
  }));
}
