import type { Mode } from "../../agent/event.ts";
import type { Environment } from "../../base/environment.ts";
import type { Kind } from "./kind.ts";

export const groups = {
  release: { en: "What to deploy", ja: "何をデプロイするか" },
  place: { en: "Where and how it runs", ja: "どこでどう動かすか" },
  container: { en: "Containers", ja: "コンテナ" },
  verify: { en: "What vouches for a release", ja: "リリースの検証" },
  health: { en: "How a release proves itself", ja: "リリースの確認" },
  waves: { en: "Waves of a fleet", ja: "段階的な展開" },
  report: { en: "Hooks and notices", ja: "フックと通知" },
  process: { en: "The agent itself", ja: "エージェント自身" },
} as const;

/** A sentence in each language of the documents. */
export interface Help {
  en: string;
  ja: string;
}

/**
 * One thing that can be configured. Flags, variables, keys of `dewy.yaml`, the JSON Schema, the
 * completion and the page of the documents are all made of these.
 */
export interface Option {
  group: keyof typeof groups;
  short?: string;
  /** What stands for the value in the help; none for a switch. */
  value?: string;
  kind: Kind;
  /** What a variable with several values is split at; such an option may be given several times. */
  separator?: RegExp;
  /** As it would be written; none where the option may be left out. */
  fallback?: string;
  /** In words, where the default is found out. */
  fallbackHelp?: Help;
  /** The only modes that take it; none for all. */
  only?: Mode | readonly Mode[];
  /** Of the process, so not to be told apart by app; else of an app. */
  shared?: true;
  /** Of the command line and the environment alone: it says where the file is. */
  outsideFile?: true;
  /** The old name of the option, which is still taken. */
  deprecatedName?: string;
  help: Help;
}

export function isFor({ only }: Pick<Option, "only">, mode: Mode): boolean {
  return only === undefined || [only].flat().includes(mode);
}

/** `logLevel` → `log-level`: the flag, and the key in `dewy.yaml`. */
export function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `logLevel` → `DEWY_LOG_LEVEL`. */
export function variableOf(name: string): string {
  return `DEWY_${dashed(name).replaceAll("-", "_").toUpperCase()}`;
}

/** What the variable for `name` holds; a variable that is empty is one that is not set. */
export function fromEnvironment(
  name: string,
  { separator }: Option,
  environment: Environment,
): string | string[] | undefined {
  const value = environment[variableOf(name)];
  if (value === undefined || value.trim() === "") return undefined;
  return separator ? value.split(separator).filter((piece) => piece !== "") : value;
}
