import * as v from "valibot";
import type { Environment } from "../../base/environment.ts";
import { dashed, fromEnvironment, variableOf } from "./option.ts";
import { type OptionName, type OptionValues, optionEntries, options } from "./table.ts";

/** A value as somebody wrote it, and where: `--interval`, `DEWY_INTERVAL`, `dewy.yaml:3:7: interval`. */
export interface Written {
  value: unknown;
  place: string;
}

/** One place where options may be written. */
export type Layer = (name: OptionName) => Written | undefined;

/** What commander made of the command line. */
export function commandLine(given: Readonly<Record<string, unknown>>): Layer {
  return (name) => written(given[name], `--${dashed(name)}`);
}

export function variables(environment: Environment): Layer {
  return (name) => written(fromEnvironment(name, options[name], environment), variableOf(name));
}

export function written(value: unknown, place: string): Written | undefined {
  return value === undefined ? undefined : { value, place };
}

/** The first layer that has an option wins. What is wrong is added to `problems`. */
export function valuesOf(layers: readonly Layer[], problems: string[]): OptionValues {
  const values = optionEntries.map(([name, option]) => {
    const found = firstOf(layers, name) ?? written(option.fallback, `--${dashed(name)}`);
    if (!found) return [name, undefined];
    const result = v.safeParse(option.kind.schema, found.value);
    if (result.success) return [name, result.output];
    problems.push(...result.issues.map(({ message }) => `${found.place}: ${message}`));
    return [name, undefined];
  });
  return Object.fromEntries(values) as OptionValues;
}

export function firstOf(layers: readonly Layer[], name: OptionName): Written | undefined {
  for (const layer of layers) {
    const found = layer(name);
    if (found) return found;
  }
  return undefined;
}
