import * as v from "valibot";
import type { AppOptions } from "../../agent/app-options.ts";
import { checkApps } from "../check-apps.ts";
import { command } from "../command.ts";
import { jsonSchema } from "../options/json-schema.ts";
import { planOf } from "../plan.ts";
import { shownRegistry } from "../shown-registry.ts";

/** Prints a line for each app of a file that is right, and all that is wrong with another. */
export const configCheck = command({
  operands: "[dewy.yaml]",
  completes: "file",
  flags: {},
  epilogue: "Nothing is started and nobody is asked. The status is 2 when something is wrong.",
  input: v.strictObject({
    operands: v.pipe(v.array(v.string()), v.maxLength(1, "give one dewy.yaml at the most")),
  }),

  async run({ operands: [file] }, context) {
    const { apps, file: found, process } = await planOf(file, () => undefined, context);
    await checkApps(apps, found, process, context);
    for (const app of apps) context.print(lineOf(app));
  },
});

function lineOf({ name, mode, registry, directory, ports }: AppOptions): string {
  const where = ports.length > 0 ? `ports ${ports.join(", ")}` : "no ports";
  return [
    name,
    mode,
    shownRegistry(registry),
    ...(mode === "assets" ? [] : [where]),
    directory,
  ].join("  ");
}

export const configSchema = command({
  flags: {},
  epilogue:
    "An editor checks a dewy.yaml that begins with a line such as:\n  # yaml-language-server: $schema=./dewy.schema.json",
  input: v.strictObject({ operands: v.array(v.string()) }),

  async run(_input, { print }) {
    print(JSON.stringify(jsonSchema(), undefined, 2));
  },
});
