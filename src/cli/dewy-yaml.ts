import { access } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import * as v from "valibot";
import { type Mode, modes } from "../agent/event.ts";
import { isEchoOf } from "../base/call.ts";
import { ConfigError, messageOf } from "../base/errors.ts";
import { type Path, problemsOf, readYaml } from "../base/yaml-document.ts";
import type { CommandContext } from "./command.ts";
import { configTextAt } from "./config-text.ts";
import * as kind from "./options/kind.ts";
import { type Layer, written } from "./options/layer.ts";
import { dashed, type Option, variableOf } from "./options/option.ts";
import { type OptionName, optionEntries } from "./options/table.ts";

const writeWords = "write a list, such as [current/app, -v]";
const ownEntries = {
  command: v.optional(
    v.pipe(
      v.array(v.string("write a text: put a number in quotes"), writeWords),
      v.minLength(1, writeWords),
    ),
  ),
  mode: v.optional(v.picklist(modes, `choose one of: ${modes.join(", ")}`)),
};

const App = v.strictObject({
  ...entriesOf(([name, { shared }]) => !shared && name !== "name"),
  ...ownEntries,
  group: v.optional(kind.name.schema),
  after: v.optional(kind.words.schema),
});

const DewyYaml = v.strictObject({
  ...entriesOf(([, { outsideFile }]) => !outsideFile),
  ...ownEntries,
  apps: v.optional(
    v.pipe(
      v.record(kind.name.schema, App),
      v.minEntries(1, "name at least one app, such as apps: { web: { … } }"),
    ),
  ),
});

type Mapping = Readonly<Record<string, unknown>>;

/** A mapping of a `dewy.yaml`: what is at the top, or what stands for one app. */
export interface Section {
  mode: Mode | undefined;
  command: readonly string[] | undefined;
  /** Of an app below `apps` alone: what it moves together with, and after which of these. */
  group: string | undefined;
  after: readonly string[] | undefined;
  layer: Layer;
  /** `dewy.yaml:3:7: apps.web.interval` for `interval`; of the section itself without a key. */
  placeOf(key?: string): string;
}

export interface DewyYaml {
  /** As it was named. */
  file: string;
  text: string;
  /** Absolute: what is relative in the file is relative to this. */
  directory: string;
  top: Section;
  /** In the file's order; `undefined` where the file describes one app. */
  apps: ReadonlyMap<string, Section> | undefined;
}

/** The file that is to be read: as it was asked for, or `dewy.yaml` if it is there. */
export async function findDewyYaml(
  asked: string | undefined,
  { environment, directory }: CommandContext,
): Promise<string | undefined> {
  const named = asked ?? (environment[variableOf("config")] || undefined);
  if (named !== undefined) return named;
  const isThere = await access(resolve(directory, "dewy.yaml")).then(
    () => true,
    () => false,
  );
  return isThere ? "dewy.yaml" : undefined;
}

/** @throws {ConfigError} with a line for each mistake: `dewy.yaml:3:7: interval: …` */
export async function readDewyYaml(file: string, context: CommandContext): Promise<DewyYaml> {
  const path = resolve(context.directory, file);
  return parseDewyYaml(file, await textOf(file, path, context), dirname(path));
}

/** `directory` is the file's own. @throws {ConfigError} as `readDewyYaml` */
function parseDewyYaml(file: string, text: string, directory: string): DewyYaml {
  const document = readYaml(file, text);
  const content = document.content ?? {};
  const placeOf = (path: Path) => `${document.placeOf(path)}: ${path.join(".") || "(top level)"}`;
  const { success, issues } = v.safeParse(DewyYaml, content);
  const problems = success
    ? []
    : problemsOf(issues, DewyYaml, "there is no such key").map(
        (problem) => `${placeOf(problem.path)}: ${problem.sentence}`,
      );
  const { name, apps } = content as { name?: unknown; apps?: Record<string, Mapping> };
  if (Array.isArray(apps)) problems.push(`${placeOf(["apps"])}: write a mapping of names to apps`);
  for (const key of Object.keys(apps ?? {}).filter(isUnsafe)) {
    problems.push(`${placeOf(["apps", key])}: no app can be called so: choose another name`);
  }
  if (name !== undefined && apps !== undefined) {
    problems.push(`${placeOf(["name"])}: each app is called by its key below apps: leave name out`);
  }
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  const section = (mapping: Mapping, path: Path) => sectionOf(mapping, path, directory, placeOf);
  return {
    ...{ file, text, directory },
    top: section(content as Mapping, []),
    apps:
      apps && new Map(Object.entries(apps).map(([key, app]) => [key, section(app, ["apps", key])])),
  };
}

/** Valibot leaves these keys out of a record, unchecked. */
const isUnsafe = (key: string) => ["__proto__", "prototype", "constructor"].includes(key);

function sectionOf(
  mapping: Mapping,
  path: Path,
  directory: string,
  placeOf: (path: Path) => string,
): Section {
  const { mode, command, group, after } = mapping as Partial<
    Pick<Section, "mode" | "command" | "group"> & { after: string | string[] }
  >;
  return {
    ...{ mode, command, group, after: after === undefined ? undefined : [after].flat() },
    placeOf: (key) => placeOf(key === undefined ? path : [...path, key]),
    layer(name) {
      const key = dashed(name);
      const value = mapping[key];
      if (value === undefined) return undefined; // most are: no place is looked for
      const resolved = isPath(name) ? resolvedIn(directory, value) : value;
      return written(resolved, placeOf([...path, key]));
    },
  };
}

const isPath = (name: OptionName) => ["directory", "verifyKey", "verifyTrustRoot"].includes(name);

/** A key may stand there itself, as `minisign:RWQ…`. */
function resolvedIn(directory: string, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => resolvedIn(directory, each));
  if (typeof value !== "string" || /^[a-z]+:/.test(value)) return value;
  return resolve(directory, value);
}

async function textOf(file: string, path: string, { signal }: CommandContext): Promise<string> {
  try {
    return await configTextAt(path, { signal });
  } catch (error) {
    if (isEchoOf(signal, error)) throw error;
    throw new ConfigError(`${file} cannot be read: ${messageOf(error)}`, {
      cause: error,
      hint: "name a dewy.yaml that is there",
    });
  }
}

function entriesOf(
  isWanted: (entry: readonly [OptionName, Option]) => boolean,
): Record<string, v.OptionalSchema<v.GenericSchema, undefined>> {
  return Object.fromEntries(
    optionEntries
      .filter(isWanted)
      .map(([name, option]) => [dashed(name), v.optional(option.kind.schema)]),
  );
}
