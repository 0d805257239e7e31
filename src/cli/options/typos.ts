import { nearest } from "../../base/nearest.ts";
import type { CommandContext } from "../command.ts";
import { variableOf } from "./option.ts";
import { optionNames } from "./table.ts";

/** A variable that is nearly one of ours is heard of; the others with our prefix belong to somebody. */
export function warnOfTypos({ environment, note }: CommandContext): void {
  const known = [...optionNames.map(variableOf), ...ownVariables];
  for (const name of Object.keys(environment)) {
    if (!name.startsWith("DEWY_") || known.includes(name)) continue;
    const meant = nearest(
      name.slice(5),
      optionNames.map(variableOf).map((one) => one.slice(5)),
    );
    if (meant) note(`dewy: ${name} is no option: did you mean DEWY_${meant}?`);
  }
}

/** What the agent tells hooks and apps, and what is no option of one app. */
const ownVariables = [
  "DEWY_CACHEDIR",
  "DEWY_TAG",
  "DEWY_PREVIOUS_TAG",
  "DEWY_RELEASE_DIR",
  "DEWY_PID",
  "DEWY_WORKER",
];
