import * as v from "valibot";
import { ConfigError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { parse } from "../base/schema.ts";

/** Whose URL it is: errors begin with it. */
type Flag = "--registry" | "--cache" | "--notifier";

/** @throws {ConfigError} for a name that is there twice */
export function readQuery(flag: Flag, query: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (pairs.has(name)) {
      throw new ConfigError(`${flag}: the query has ${name} twice`, { hint: "leave one out" });
    }
    pairs.set(name, value);
  }
  return pairs;
}

/** Checks a query against what a scheme takes. @throws {ConfigError} naming the nearest known key */
export function checkQuery<const Entries extends v.ObjectEntries>(
  flag: Flag,
  { scheme, query }: { scheme: string; query: ReadonlyMap<string, string> },
  entries: Entries,
): v.InferOutput<v.StrictObjectSchema<Entries, undefined>> {
  const known = Object.keys(entries);
  for (const name of query.keys()) {
    if (known.includes(name)) continue;
    const meant = nearest(name, known);
    throw new ConfigError(`${flag}: ${scheme}:// takes no ${name} in its query`, {
      hint: meant ? `write ${meant} instead` : `choose from: ${known.join(", ")}`,
    });
  }
  return parse(v.strictObject(entries), Object.fromEntries(query), (key) => `${flag}: ${key}`);
}
