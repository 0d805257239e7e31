import { type Command as CommanderCommand, Option as CommanderOption } from "commander";
import type * as v from "valibot";
import type { AppOptions, OnRestart, ProcessOptions } from "../agent/app-options.ts";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import { parse } from "../base/schema.ts";
import { dashed } from "./options/option.ts";

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
  /** Calls back when the process is told, by SIGUSR1, to start its apps anew. */
  onRestart: OnRestart;
  clock: Clock;
}

/** What the options of the agent come to. */
export interface Plan {
  apps: readonly AppOptions[];
  process: ProcessOptions;
  /** The file that names the apps; none for one app of the command line. */
  source?: PlanSource;
}

export interface PlanSource {
  path: string;
  /** What it held when the plan was made. */
  text: string;
  /** Makes the plan that it holds now. */
  read(): Promise<Plan>;
}

/** Runs the apps of `plan` until the context's signal. */
export type StartApps = (plan: Plan, context: CommandContext) => Promise<void>;

export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  /** Whether what is printed comes to it as well: not where that goes to a file or another program. */
  readonly showsPrinted: boolean;
  write(text: string): void;
}

export interface Flag {
  /** What stands for the value in the help; none for a switch. */
  value?: string;
  short?: string;
  help: string;
  /** May be given several times. */
  many?: true;
  /** The heading it stands below in the help. */
  group?: string;
  /** Taken, so that the command can say why not; but not shown. */
  hidden?: true;
  /** What a shell offers as the value. */
  completes?: "file" | "directory" | readonly string[];
}

/** A command as it is described to commander, apart from its name and summary. */
export interface Description {
  /** The words after the options, as commander writes them: `[command...]`. */
  operands?: string;
  /** How the help writes options and operands, where that is not as they are declared. */
  usage?: string;
  /** What a shell offers for the operands. */
  completes?: Flag["completes"];
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
  if (description.usage) target.usage(description.usage);
  declareFlags(target, description.flags);
  if (description.epilogue) target.addHelpText("after", `\n${description.epilogue}`);
}

export function declareFlags(target: CommanderCommand, flags: Record<string, Flag>): void {
  for (const [name, flag] of Object.entries(flags)) {
    const long = `--${dashed(name)}${flag.value ? ` <${flag.value}>` : ""}`;
    const option = new CommanderOption(flag.short ? `-${flag.short}, ${long}` : long, flag.help);
    if (flag.many) option.argParser((value: string, all: string[] = []) => [...all, value]);
    if (flag.group) option.helpGroup(`${flag.group}:`);
    target.addOption(option.hideHelp(flag.hidden ?? false));
    // `--scrub-env=false` comes as this, to overrule a variable or a file.
    if (flag.value) continue;
    const off = new CommanderOption(`--no-${dashed(name)}`).hideHelp();
    if (flag.group) off.helpGroup(`${flag.group}:`); // or it would put "Options:" amidst the others
    target.addOption(off);
  }
}

/** `logLevel` → `--log-level`; the operands are called by their own name. */
function flagPath(path: string): string {
  const [name = "", ...rest] = path.split(".");
  return name === "operands" ? "arguments" : [`--${dashed(name)}`, ...rest].join(".");
}
