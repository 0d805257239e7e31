import * as v from "valibot";
import {
  type Document,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument as parseYaml,
  visit,
} from "yaml";
import { ConfigError, messageOf } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { overridden } from "./config-overrides.ts";

export interface Source {
  /** What the file is called in messages. */
  file: string;
  text: string;
  /** Where `REGISTRY_…` variables are looked for. */
  environment: Readonly<Record<string, string | undefined>>;
}

type Path = readonly string[];

/** Reads YAML against a schema. @throws {ConfigError} with a line for each mistake */
export function parseDocument<const S extends v.GenericSchema>(
  schema: S,
  { file, text, environment }: Source,
): v.InferOutput<S> {
  const lines = new LineCounter();
  const document = parseYaml(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const [broken] = document.errors; // what comes after the first is mostly its consequence
  if (broken) throw new ConfigError(`${place(broken.pos[0])}: ${broken.message.slice(0, 300)}`);
  const { value, overrides } = overridden(contentOf(document, place), environment);
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const problems = result.issues.flatMap((issue) =>
    pathsOf(issue, schema).map((path) => {
      const where = overrides.nameOf(path) ?? place(offsetOf(document, path));
      return `${where}: ${path.join(".") || "(top level)"}: ${sentenceFor(issue, schema, path)}`;
    }),
  );
  throw new ConfigError(problems.join("\n"));
}

function contentOf(document: Document, place: (offset: number) => string): unknown {
  visit(document, {
    Alias(_key, alias) {
      if (alias.resolve(document) !== undefined) return;
      const where = place(alias.range?.[0] ?? 0);
      throw new ConfigError(`${where}: no anchor is called ${alias.source}`);
    },
  });
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new ConfigError(`${place(0)}: ${messageOf(error)}`, { cause: error });
  }
}

/** Valibot stops at the first unknown key of a mapping; people want to hear of all of them. */
function pathsOf(issue: v.BaseIssue<unknown>, schema: v.GenericSchema): Path[] {
  const path = (issue.path ?? []).map(({ key }) => String(key));
  if (!isUnknownKey(issue)) return [path];
  const parent = path.slice(0, -1);
  const known = keysAt(schema, parent);
  const holder = issue.path?.at(-1)?.input;
  const names = typeof holder === "object" && holder !== null ? Object.keys(holder) : [];
  return names.filter((name) => !known.includes(name)).map((name) => [...parent, name]);
}

function isUnknownKey(issue: v.BaseIssue<unknown>): boolean {
  return issue.type === "strict_object" && issue.expected === "never";
}

function sentenceFor(issue: v.BaseIssue<unknown>, schema: v.GenericSchema, path: Path): string {
  if (isUnknownKey(issue)) {
    const known = keysAt(schema, path.slice(0, -1));
    const suggestion = nearest(path.at(-1) ?? "", known);
    const end =
      suggestion === undefined ? `known here: ${known.join(", ")}` : `did you mean ${suggestion}`;
    return `this registry knows no such key; ${end}`;
  }
  if (issue.type === "strict_object" && issue.received === "undefined") return "is missing";
  if (["strict_object", "record"].includes(issue.type)) return "write a mapping";
  if (issue.type === "picklist")
    return `choose one of: ${issue.expected?.replace(/[()"]/g, "").replaceAll(" | ", ", ")}`;
  return issue.message;
}

/** Where `path` is written: its key, or what is left of the way there. */
function offsetOf(document: Document, path: Path): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const name of path) {
    if (isSeq(node)) {
      node = node.items[Number(name)];
      offset = startOf(node) ?? offset;
      continue;
    }
    const pair = isMap(node)
      ? node.items.find(({ key }) => isScalar(key) && String(key.value) === name)
      : undefined;
    if (!isPair(pair)) return offset;
    offset = startOf(pair.key) ?? offset;
    node = pair.value;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

interface SchemaPart {
  entries?: Record<string, SchemaPart>;
  wrapped?: SchemaPart;
  /** What each element of a list is. */
  item?: SchemaPart;
}

function keysAt(schema: v.GenericSchema, path: Path): string[] {
  let part: SchemaPart | undefined = schema as SchemaPart;
  for (const name of path) {
    const { entries, item }: SchemaPart = unwrapped(part) ?? {};
    part = entries?.[name] ?? item;
  }
  return Object.keys(unwrapped(part)?.entries ?? {});
}

function unwrapped(part: SchemaPart | undefined): SchemaPart | undefined {
  return part?.wrapped === undefined ? part : unwrapped(part.wrapped);
}
