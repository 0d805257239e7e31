import type * as v from "valibot";
import {
  type Document,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parse,
  parseDocument,
  visit,
  type YAMLMap,
  type YAMLParseError,
} from "yaml";
import { ConfigError, messageOf } from "./errors.ts";
import { nearest } from "./nearest.ts";

export type Path = readonly string[];

export interface YamlDocument {
  /** As plain values; `null` for an empty file. */
  content: unknown;
  /** `file:line:column` of the key at `path`, or of what is left of the way there. */
  placeOf(path: Path): string;
}

/** Reads YAML. @throws {ConfigError} with the place of what is no YAML */
export function readYaml(file: string, text: string): YamlDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const [broken] = document.errors; // what comes after the first is mostly its consequence
  if (broken) throw new ConfigError(`${place(broken.pos[0])}: ${reasonOf(broken)}`);
  const pairs = indexedPairs();
  return {
    content: contentOf(document, place),
    placeOf: (path) => place(offsetOf(document, path, pairs)),
  };
}

/** The parser's own words, where they are not for the one who called it. */
function reasonOf({ code, message }: YAMLParseError): string {
  if (code === "MULTIPLE_DOCS") return "a second document begins here: write one only";
  // The parser calls itself for each level, and has run out of stack.
  if (message.startsWith("Maximum call stack")) return "it is nested too deeply";
  return message.slice(0, 300);
}

/** A value as YAML writes it, such as that of a variable. @throws {ConfigError} beginning with `name` */
export function parseYamlValue(name: string, text: string): unknown {
  try {
    return parse(text, { prettyErrors: false });
  } catch (error) {
    throw new ConfigError(`${name}: this is not YAML: ${messageOf(error)}`);
  }
}

export interface Problem {
  path: Path;
  sentence: string;
}

/** Everything that `issues` say is wrong; `unknownKey` begins the sentence about a key nobody reads. */
export function problemsOf(
  issues: readonly v.BaseIssue<unknown>[],
  schema: v.GenericSchema,
  unknownKey: string,
): Problem[] {
  return issues.flatMap((issue) =>
    pathsOf(issue, schema).map((path) => ({
      path,
      sentence: sentenceFor(issue, schema, path, unknownKey),
    })),
  );
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
  const holder = holderOf(issue);
  if (Array.isArray(holder)) return [parent];
  const names = typeof holder === "object" && holder !== null ? Object.keys(holder) : [];
  return names.filter((name) => !known.includes(name)).map((name) => [...parent, name]);
}

function holderOf(issue: v.BaseIssue<unknown>): unknown {
  return issue.path?.at(-1)?.input;
}

function isUnknownKey(issue: v.BaseIssue<unknown>): boolean {
  return issue.type === "strict_object" && issue.expected === "never";
}

function sentenceFor(
  issue: v.BaseIssue<unknown>,
  schema: v.GenericSchema,
  path: Path,
  unknownKey: string,
): string {
  if (isUnknownKey(issue)) {
    if (Array.isArray(holderOf(issue))) return "write a mapping";
    const known = keysAt(schema, path.slice(0, -1));
    const suggestion = nearest(path.at(-1) ?? "", known);
    const end =
      suggestion === undefined ? `known here: ${known.join(", ")}` : `did you mean ${suggestion}`;
    return `${unknownKey}; ${end}`;
  }
  if (issue.type === "strict_object" && issue.received === "undefined") return "is missing";
  if (["strict_object", "record"].includes(issue.type)) return "write a mapping";
  if (issue.type === "picklist")
    return `choose one of: ${issue.expected?.replace(/[()"]/g, "").replaceAll(" | ", ", ")}`;
  return issue.message;
}

type PairOf = (mapping: YAMLMap, name: string) => unknown;

/** Goes through each mapping once, however many of its keys are asked for. */
function indexedPairs(): PairOf {
  const known = new WeakMap<YAMLMap, Map<string, unknown>>();
  return (mapping, name) => {
    let pairs = known.get(mapping);
    if (!pairs) {
      pairs = new Map();
      for (const pair of mapping.items.toReversed()) {
        if (isScalar(pair.key)) pairs.set(String(pair.key.value), pair);
      }
      known.set(mapping, pairs);
    }
    return pairs.get(name);
  };
}

function offsetOf(document: Document, path: Path, pairOf: PairOf): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const name of path) {
    if (isSeq(node)) {
      node = node.items[Number(name)];
      offset = rangeStart(node) ?? offset;
      continue;
    }
    const pair = isMap(node) ? pairOf(node, name) : undefined;
    if (!isPair(pair)) return offset;
    offset = rangeStart(pair.key) ?? offset;
    node = pair.value;
  }
  return offset;
}

function rangeStart(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

interface SchemaPart {
  entries?: Record<string, SchemaPart>;
  wrapped?: SchemaPart;
  /** Of a record, whose keys are anything. */
  value?: SchemaPart;
  /** What each element of a list is. */
  item?: SchemaPart;
}

function keysAt(schema: v.GenericSchema, path: Path): string[] {
  let part: SchemaPart | undefined = unwrapped(schema as SchemaPart);
  for (const name of path) {
    part = unwrapped(part?.entries?.[name] ?? part?.item ?? part?.value);
  }
  return Object.keys(part?.entries ?? {});
}

function unwrapped(part: SchemaPart | undefined): SchemaPart | undefined {
  return part?.wrapped === undefined ? part : unwrapped(part.wrapped);
}
