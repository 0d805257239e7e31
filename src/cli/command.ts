import type { Command as CommanderCommand } from "commander";
import type * as v from "valibot";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import { parse } from "../base/schema.ts";

/** What a command is given of the world outside, so that no other file touches `process`. */
export interface CommandContext {
  /** A line for the one who asked: standard output. */
  print(line: string): void;
  /** A line about how it goes: standard error. */
  note(line: string): void;
  /** Where a progress bar may be drawn; `undefined` when nobody is looking. */
  terminal: Terminal | undefined;
  environment: Environment;
  /** The directory the command was called in. */
  directory: string;
  /** Aborts when the process is told to end. */
  signal: AbortSignal;
  clock: Clock;
}

export interface Terminal {
  readonly columns: number;
  write(text: string): void;
}

interface Flag {
  /** What stands for the value in the help; none for a switch. */
  value?: string;
  short?: string;
  help: string;
  /** May be given several times. */
  many?: true;
}

/** A command as it is described to commander, apart from its name and summary. */
interface Description {
  /** The words after the options, as commander writes them: `[command...]`. */
  operands?: string;
  flags: Record<string, Flag>;
  /** Shown below the options. */
  epilogue?: string;
}

/** Ties `run` to the type of what `input` makes of flags and operands. */
export function command<const S extends v.GenericSchema>(
  description: Description & {
    input: S;
    run(input: v.InferOutput<S>, context: CommandContext): Promise<void>;
  },
): Command {
  const { input, run } = description;
  return {
    ...description,
    runUnchecked: (raw, context) => run(parse(input, raw, flagPath), context),
  };
}

/** A command whose input is still what was typed. */
export interface Command extends Description {
  /** @throws {ConfigError} naming every flag that was wrong. */
  runUnchecked(raw: unknown, context: CommandContext): Promise<void>;
}

/** Adds `description`'s flags and operands to commander's `target`. */
export function declare(target: CommanderCommand, description: Command): void {
  if (description.operands) target.argument(description.operands);
  for (const [name, flag] of Object.entries(description.flags)) {
    const long = `--${dashed(name)}${flag.value ? ` <${flag.value}>` : ""}`;
    const words = flag.short ? `-${flag.short}, ${long}` : long;
    if (flag.many) {
      target.option(words, flag.help, (value: string, all: string[] = []) => [...all, value]);
    } else {
      target.option(words, flag.help);
    }
  }
  if (description.epilogue) target.addHelpText("after", `\n${description.epilogue}`);
}

/** `logLevel` → `--log-level`; the operands are called by their own name. */
function flagPath(path: string): string {
  const [name = "", ...rest] = path.split(".");
  return name === "operands" ? "arguments" : [`--${dashed(name)}`, ...rest].join(".");
}

function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
