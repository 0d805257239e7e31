import * as v from "valibot";
import { ConfigError } from "../base/errors.ts";
import { problemsOf, readYaml } from "../base/yaml-document.ts";
import { withKinds, withoutEmpty } from "./config-distribution.ts";
import { notesOn } from "./config-notes.ts";
import { overridden, placed } from "./config-overrides.ts";

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
  const value = withoutEmpty(withKinds(written));
  if (value === null) throw new ConfigError(`${file}: it is empty: begin it with version: 0.1`);
  const first = v.safeParse(schema, value);
  const result = first.success ? first : v.safeParse(schema, asTexts(value, first.issues));
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

  /** A variable is a text to begin with: where one is wanted, `0123` is no number. */
  function asTexts(whole: unknown, issues: readonly v.BaseIssue<unknown>[]): unknown {
    return issues.reduce((changed, { type, input, path = [] }) => {
      const keys = path.map(({ key }) => String(key));
      const text = overrides.textOf(keys);
      const isWanted = type === "string" && ["number", "boolean"].includes(typeof input);
      return isWanted && text !== undefined ? placed(changed, keys, text) : changed;
    }, whole);
  }
}
