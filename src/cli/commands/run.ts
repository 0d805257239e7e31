import * as v from "valibot";
import { type Command, command, type StartApps } from "../command.ts";
import { sharedFlags } from "../options/flags.ts";
import { commandLine } from "../options/layer.ts";
import { warnOfTypos } from "../options/typos.ts";
import { planOf } from "../plan.ts";

/** `dewy run`, which hands all apps of a file to `start`. */
export function run(start: StartApps): Command {
  return command({
    operands: "[dewy.yaml]",
    completes: "file",
    flags: sharedFlags(),
    epilogue: "The file says what is run: see dewy config schema, and docs/configuration.md.",
    input: v.looseObject({
      config: v.optional(v.string()),
      operands: v.pipe(v.array(v.string()), v.maxLength(1, "give one dewy.yaml at the most")),
    }),

    async run({ operands, ...given }, context) {
      warnOfTypos(context);
      const plan = await planOf(operands[0] ?? given.config, commandLine(given), context);
      await start(plan, context);
    },
  });
}
