import { parseYamlValue } from "../base/yaml-document.ts";

const variablePrefix = "REGISTRY_";

/**
 * Not overrides: where the file is, and what Kubernetes and Docker tell every container about a
 * service that is called `registry`.
 */
const reserved = /^REGISTRY_(?:CONFIGURATION_PATH|(?:PORT|SERVICE_HOST|SERVICE_PORT)(?:_.*)?)$/;

export interface Overrides {
  /** The variable that set `path`, what holds it, or what is in it. */
  nameOf(path: readonly string[]): string | undefined;
  /** What the variable for `path` itself says, as it was written. */
  textOf(path: readonly string[]): string | undefined;
}

/**
 * Applies `REGISTRY_A_B=value` to `a.b`, as Distribution does: in the order of the names, with the
 * value read as YAML, so that a mapping may be given too. A text in place of a mapping, such as
 * `REGISTRY_STORAGE=inmemory`, chooses that kind.
 *
 * @throws {ConfigError} naming the variable whose value is not YAML.
 */
export function overridden(
  document: unknown,
  environment: Readonly<Record<string, string | undefined>>,
): { value: unknown; overrides: Overrides } {
  const names = Object.keys(environment)
    .filter((name) => name.startsWith(variablePrefix) && !reserved.test(name))
    .sort();
  const paths = new Map<string, string>();
  let value = document;
  for (const name of names) {
    const path = name.slice(variablePrefix.length).toLowerCase().split("_");
    if (path.includes("")) continue;
    paths.set(path.join("."), name);
    value = placed(value, path, parseYamlValue(name, environment[name] ?? ""));
  }
  const overrides: Overrides = {
    nameOf: (path) => nameFor(path, paths),
    textOf: (path) => environment[paths.get(path.join(".").toLowerCase()) ?? ""]?.trim(),
  };
  return { value, overrides };
}

function nameFor(path: readonly string[], names: Map<string, string>): string | undefined {
  for (let length = path.length; length > 0; length--) {
    const name = names.get(path.slice(0, length).join(".").toLowerCase());
    if (name !== undefined) return name;
  }
  const inside = `${path.join(".").toLowerCase()}.`;
  return [...names].find(([set]) => path.length > 0 && set.startsWith(inside))?.[1];
}

/** `whole` with `value` at a path, whose names may be in another case. */
export function placed(
  whole: unknown,
  [first, ...rest]: readonly string[],
  value: unknown,
): unknown {
  if (first === undefined) return isKind(whole, value) ? { [value]: {} } : value;
  const list = first === "0" ? (whole ?? []) : whole; // of a list that is not there, the first
  if (Array.isArray(list) && /^\d+$/.test(first) && Number(first) <= list.length) {
    const copy: unknown[] = [...list];
    copy[Number(first)] = placed(copy[Number(first)], rest, value);
    return copy;
  }
  const mapping = isMapping(whole) ? whole : {};
  const key = Object.keys(mapping).find((name) => name.toLowerCase() === first) ?? first;
  return { ...mapping, [key]: placed(mapping[key], rest, value) };
}

function isKind(whole: unknown, value: unknown): value is string {
  return isMapping(whole) && typeof value === "string";
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
