import { join, resolve } from "node:path";
import type { AppOptions } from "../agent/app-options.ts";
import { ConfigError } from "../base/errors.ts";
import type { CommandContext, Plan, PlanSource } from "./command.ts";
import { type DewyYaml, findDewyYaml, readDewyYaml, type Section } from "./dewy-yaml.ts";
import { withGroups } from "./groups.ts";
import { type AppSource, appOf, processOf, surroundingsOf } from "./options/app.ts";
import { type Layer, valuesOf, variables } from "./options/layer.ts";

/**
 * Reads all apps of the file, which `dewy run` and `dewy config check` are given. What an app says
 * of itself is heard first, then `given`, the environment, and what the file says of all apps.
 *
 * @throws {ConfigError} with a line for each mistake
 */
export async function planOf(
  asked: string | undefined,
  given: Layer,
  context: CommandContext,
): Promise<Plan & { file: string; source: PlanSource }> {
  const file = await findDewyYaml(asked, context);
  if (file === undefined) {
    throw new ConfigError("there is no dewy.yaml here", {
      hint: "name one, such as /etc/dewy/dewy.yaml",
    });
  }
  const document = await readDewyYaml(file, context);
  const shared = [given, variables(context.environment), document.top.layer];
  const problems: string[] = [];
  const processOptions = processOf(valuesOf(shared, problems));
  const apps = appsOf(document, shared, context, problems);
  if (problems.length > 0) throw new ConfigError([...new Set(problems)].join("\n"));
  return {
    ...{ file, apps, process: processOptions },
    source: {
      path: resolve(context.directory, file),
      text: document.text,
      read: () => planOf(file, given, context),
    },
  };
}

function appsOf(
  document: DewyYaml,
  shared: readonly Layer[],
  context: CommandContext,
  problems: string[],
): AppOptions[] {
  const { top, apps, directory } = document;
  const surroundings = surroundingsOf(context);
  if (!apps) {
    const source = sourceOf(top, top, { layers: shared, directory });
    return [appOf(source, surroundings, problems)];
  }
  const all = [...apps].map(([name, own]) => {
    const isPlaced = own.layer("directory") !== undefined;
    const layers = [own.layer, ...shared.map((layer) => (isPlaced ? layer : below(layer, name)))];
    const source = sourceOf(own, top, { layers, directory: join(directory, name), name });
    return appOf(source, surroundings, problems);
  });
  return withGroups(all, apps, problems);
}

/** A directory that is said of all apps holds one for each. */
function below(layer: Layer, app: string): Layer {
  return (name) => {
    const found = layer(name);
    if (name !== "directory" || typeof found?.value !== "string") return found;
    return { ...found, value: join(found.value, app) };
  };
}

function sourceOf(
  own: Section,
  top: Section,
  rest: Pick<AppSource, "layers" | "directory" | "name">,
): AppSource {
  const mode = own.mode ?? top.mode ?? "server";
  // What is said of all apps is for those that are started.
  const section = own.command || mode === "assets" ? own : top;
  return {
    ...rest,
    mode,
    command: section.command ?? [],
    commandPlace: section.command ? section.placeOf("command") : own.placeOf(),
    ownLayers: [own.layer],
    place: own.placeOf(),
  };
}
