import * as v from "valibot";
import { ConfigError } from "../base/errors.ts";
import { problemsOf, readYaml } from "../base/yaml-document.ts";
import { withoutEmpty } from "./config-distribution.ts";
import { notesOn } from "./config-notes.ts";
import { overridden } from "./config-overrides.ts";

export interface Source {
  /** What the file is called in messages. */
  file: string;
  text: string;
  /** Where `REGISTRY_…` variables are looked for. */
  environment: Readonly<Record<string, string | undefined>>;
}

/** What a file says, and where it says it. */
export interface Placed<Value> {
  value: Value;
  /** The variable that set what is at `path`, or `file:line:column` of it. */
  placeOf(path: readonly string[]): string;
}

/** Reads YAML against a schema. @throws {ConfigError} with a line for each mistake */
export function parseDocument<const S extends v.GenericSchema>(
  schema: S,
  { file, text, environment }: Source,
): Placed<v.InferOutput<S>> & { notes: readonly string[] } {
  const document = readYaml(file, text);
  const { value: written, overrides } = overridden(document.content, environment);
  const value = withoutEmpty(written);
  const result = v.safeParse(schema, value);
  const placeOf = (path: readonly string[]) => overrides.nameOf(path) ?? document.placeOf(path);
  if (result.success) return { value: result.output, placeOf, notes: notesOn(value) };
  const problems = problemsOf(result.issues, schema, "this registry knows no such key");
  throw new ConfigError(
    problems
      .map(
        ({ path, sentence }) => `${placeOf(path)}: ${path.join(".") || "(top level)"}: ${sentence}`,
      )
      .join("\n"),
  );
}
