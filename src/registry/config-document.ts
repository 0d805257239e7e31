import * as v from "valibot";
import { ConfigError } from "../base/errors.ts";
import { problemsOf, readYaml } from "../base/yaml-document.ts";
import { overridden } from "./config-overrides.ts";

export interface Source {
  /** What the file is called in messages. */
  file: string;
  text: string;
  /** Where `REGISTRY_…` variables are looked for. */
  environment: Readonly<Record<string, string | undefined>>;
}

/** Reads YAML against a schema. @throws {ConfigError} with a line for each mistake */
export function parseDocument<const S extends v.GenericSchema>(
  schema: S,
  { file, text, environment }: Source,
): v.InferOutput<S> {
  const document = readYaml(file, text);
  const { value, overrides } = overridden(document.content, environment);
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const problems = problemsOf(result.issues, schema, "this registry knows no such key");
  throw new ConfigError(
    problems
      .map(({ path, sentence }) => {
        const where = overrides.nameOf(path) ?? document.placeOf(path);
        return `${where}: ${path.join(".") || "(top level)"}: ${sentence}`;
      })
      .join("\n"),
  );
}
