import type { Flag } from "../command.ts";
import { groups, type Option } from "./option.ts";
import { optionEntries } from "./table.ts";

/** The options that `isTaken` as flags of a command; the others are taken too, to be refused. */
export function flagsOf(isTaken: (option: Option) => boolean): Record<string, Flag> {
  return Object.fromEntries(
    optionEntries.map(([name, option]) => [
      name,
      { ...flagOf(option), ...(!isTaken(option) && { hidden: true }) },
    ]),
  );
}

function flagOf({ kind, separator, value, short, group, ...option }: Option): Flag {
  const fallback = value && (option.fallbackHelp?.en ?? option.fallback);
  return {
    help: fallback ? `${option.help.en} (default: ${fallback})` : option.help.en,
    group: groups[group].en,
    ...(value && { value }),
    ...(short && { short }),
    ...(separator && { many: true }),
    ...(kind.completes && { completes: kind.completes }),
  };
}

/** Those of the process alone. */
export function sharedFlags(): Record<string, Flag> {
  return Object.fromEntries(
    optionEntries
      .filter(([, { shared }]) => shared)
      .map(([name, option]) => [name, flagOf(option)]),
  );
}
