import * as v from "valibot";
import { ConfigError } from "../base/errors.ts";
import { YesOrNo } from "../base/schema.ts";
import { commandAt, takesAgentOptions } from "./command-names.ts";
import { dashed, type Option } from "./options/option.ts";
import { optionEntries } from "./options/table.ts";

export interface Arranged {
  /** Command first, then its options, as commander reads them. */
  args: readonly string[];
  /** Sentences about old spellings, each once. */
  warnings: readonly string[];
}

interface Scan {
  command: string | undefined;
  /** What follows the command's name, or would. */
  rest: string[];
  words: string[];
  /** Options that nobody knows, up to the first word. */
  unknown: string[];
  /** `--` and what is behind it. */
  tail: string[];
  registry: string | undefined;
  warnings: Set<string>;
}

const rootFlags = new Set(["-h", "--help", "-v", "--version"]);

/**
 * Brings `args` into one form: options may stand before the command's name, which may be left out
 * where something follows `--`, and a URL by itself is the registry, as in `dewy grpc://host:9000`.
 *
 * @throws {ConfigError} when it cannot be told what is to be done
 */
export function arranged(args: readonly string[], commands: readonly string[]): Arranged {
  if (args[0] === "help") return { args: [...args.slice(1), "--help"], warnings: [] };
  const scan = scanned(args, commands);
  return { args: inOrder(args, scan), warnings: [...scan.warnings] };
}

function inOrder(args: readonly string[], scan: Scan): readonly string[] {
  const { command, rest, words, unknown, tail, registry } = scan;
  const asked = rest.some((word) => rootFlags.has(word));
  if (command === undefined && asked) return args.filter((word) => rootFlags.has(word));
  const options = [...rest, ...(registry === undefined ? [] : ["--registry", registry])];
  if (command !== undefined) return [...command.split(" "), ...options, ...words, ...tail];
  if (unknown.length > 0) return ["server", ...unknown];
  if (words.length > 0) return words;
  if (tail.length > 0) return ["server", ...options, ...tail];
  if (options.length === 0) return [];
  throw new ConfigError("it is not said what to do with the releases", {
    hint: "name a command: dewy server … -- COMMAND runs one, dewy assets … places files",
  });
}

function scanned(args: readonly string[], commands: readonly string[]): Scan {
  const scan: Scan = {
    ...{ command: undefined, registry: undefined },
    ...{ rest: [], words: [], unknown: [], tail: [], warnings: new Set() },
  };
  for (let place = 0; place < args.length; ) {
    const word = args[place] ?? "";
    if (word === "--") {
      scan.tail = args.slice(place);
      break;
    }
    if (word.startsWith("-") && word !== "-") {
      place = takeOption(args, place, scan);
      continue;
    }
    const command = scan.command === undefined ? commandAt(args, place, commands) : undefined;
    place += command?.split(" ").length ?? 1;
    if (command === undefined) {
      takeWord(word, scan);
      continue;
    }
    scan.command = command;
    if (takesAgentOptions(command)) continue;
    scan.tail = args.slice(place); // options of its own, which are not looked into
    break;
  }
  return scan;
}

function takeWord(word: string, scan: Scan): void {
  const isUrl = /^[a-z][a-z0-9+.-]*:\/\//i.test(word);
  if (!isUrl || scan.words.length > 0) {
    scan.words.push(word);
    return;
  }
  if (scan.registry !== undefined || scan.rest.some(isRegistryFlag)) {
    throw new ConfigError("the registry is named twice", { hint: "leave one of the URLs out" });
  }
  scan.registry = word;
}

/** Takes the option at `place`, and its value. Returns the place behind them. */
function takeOption(args: readonly string[], place: number, scan: Scan): number {
  const word = args[place] ?? "";
  const isLong = word.startsWith("--");
  const [flag, value] = isLong ? split(word, word.indexOf("=")) : split(word, 2);
  const known = isLong ? knownByName(flag.slice(2), scan) : knownByLetter(flag.slice(1));
  if (!known) {
    if (!rootFlags.has(word) && scan.words.length === 0) scan.unknown.push(word);
    scan.rest.push(word);
    return place + 1;
  }
  const name = `--${dashed(known.name)}`;
  if (name === "--registry" && scan.registry !== undefined) {
    throw new ConfigError("the registry is named twice", { hint: "leave one of the URLs out" });
  }
  if (!known.option.value) {
    scan.rest.push(switched(name, value));
    return place + 1;
  }
  if (value !== undefined) {
    scan.rest.push(`${name}=${value.replace(/^=/, "")}`);
    return place + 1;
  }
  scan.rest.push(name, ...args.slice(place + 1, place + 2));
  return place + 2;
}

/** The flag and what is joined to it, `=` and all. */
function split(word: string, at: number): [string, string | undefined] {
  return at < 0 || at >= word.length ? [word, undefined] : [word.slice(0, at), word.slice(at)];
}

function switched(name: string, value: string | undefined): string {
  if (value === undefined) return name;
  const { success, output, issues } = v.safeParse(YesOrNo, value.slice(1));
  if (!success) throw new ConfigError(`${name}: ${issues[0].message}`);
  return output ? name : name.replace("--", "--no-");
}

interface Known {
  name: string;
  option: Option;
}

function knownByName(name: string, scan: Scan): Known | undefined {
  for (const [key, option] of optionEntries) {
    if (dashed(key) === name) return { name: key, option };
    if (option.deprecatedName !== name) continue;
    scan.warnings.add(`--${name} is an old name: write --${dashed(key)}`);
    return { name: key, option };
  }
  return undefined;
}

function knownByLetter(letter: string): Known | undefined {
  const found = optionEntries.find(([, { short }]) => short === letter);
  return found && { name: found[0], option: found[1] };
}

const isRegistryFlag = (word: string): boolean => /^--registry(=|$)/.test(word);
