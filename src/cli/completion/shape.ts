import type { Command, Flag } from "../command.ts";
import { dashed } from "../options/option.ts";

export interface FlagShape {
  /** `--log-level`, and `-l` where there is one. */
  words: readonly string[];
  help: string;
  takesValue: boolean;
  completes: Flag["completes"];
}

/** What a shell has to know of a command. */
export interface CommandShape {
  /** `registry serve`; empty for `dewy` itself. */
  name: string;
  summary: string;
  flags: readonly FlagShape[];
  completes: Flag["completes"];
}

export function shapeOf(
  name: string,
  summary: string,
  { flags, completes }: Pick<Command, "flags" | "completes">,
): CommandShape {
  return { name, summary, flags: flagShapesOf(flags), completes };
}

function flagShapesOf(flags: Record<string, Flag>): FlagShape[] {
  return Object.entries(flags)
    .filter(([, { hidden }]) => !hidden)
    .map(([name, { short, value, completes, help }]) => ({
      words: [`--${dashed(name)}`, ...(short ? [`-${short}`] : [])],
      help,
      takesValue: value !== undefined,
      completes,
    }));
}

/** The words that may follow `name`, each with what it is about. */
export function nextWords(
  name: string,
  commands: readonly CommandShape[],
): { word: string; summary: string }[] {
  const start = name === "" ? "" : `${name} `;
  const found = new Map<string, string>();
  for (const command of commands) {
    if (command.name === "" || !command.name.startsWith(start)) continue;
    const [word = "", ...rest] = command.name.slice(start.length).split(" ");
    if (!found.has(word)) found.set(word, rest.length > 0 ? "" : command.summary);
  }
  return [...found].map(([word, summary]) => ({ word, summary }));
}

/** Every name a command line can have come to: the commands, and what the longer ones begin with. */
export function namesOf(commands: readonly CommandShape[]): string[] {
  const names = commands.flatMap(({ name }) => {
    const words = name.split(" ");
    return words.map((_word, place) => words.slice(0, place + 1).join(" "));
  });
  return [...new Set(names)];
}

/** The flags of any command that are followed by their value. */
export function valueWords(commands: readonly CommandShape[]): string[] {
  const words = commands.flatMap(({ flags }) =>
    flags.filter(({ takesValue }) => takesValue).flatMap((flag) => flag.words),
  );
  return [...new Set(words)];
}

export const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** A pattern of the shells' `case`, which bash and zsh write alike. */
export const casesOf = (words: readonly string[]): string => words.map(quoted).join("|");

/** One branch of a `case "$command $previous"` for each flag that is followed by its value. */
export function valueCases(
  { name, flags }: CommandShape,
  offer: (completes: FlagShape["completes"]) => string,
): string[] {
  return flags
    .filter(({ takesValue }) => takesValue)
    .map(({ words, completes }) => {
      const pattern = casesOf(words.map((word) => `${name} ${word}`));
      return `    ${pattern}) ${offer(completes)}return ;;`;
    });
}
