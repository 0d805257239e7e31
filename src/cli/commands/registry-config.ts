import * as v from "valibot";
import { ConfigError } from "../../base/errors.ts";
import type { RegistryConfig } from "../../registry/config.ts";
import { mistakesIn } from "../../registry/config-check.ts";
import { command } from "../command.ts";
import { placedConfigOf } from "../registry-config.ts";

/** Prints a line when a start could serve what the file says, and all that is wrong otherwise. */
export const registryConfigCheck = command({
  operands: "[config.yml]",
  completes: "file",
  flags: {},
  epilogue: [
    "Reads the file as dewy registry serve does, REGISTRY_… variables and all, and looks whether the",
    "files it names can be read and the directories written to. Nothing is started or changed. The",
    "status is 2 when something is wrong.",
  ].join("\n"),
  input: v.strictObject({
    operands: v.pipe(v.array(v.string()), v.maxLength(1, "give one config file at the most")),
  }),

  async run({ operands: [operand] }, context) {
    const { value: config, placeOf, file } = await placedConfigOf(operand, context);
    const mistakes = await mistakesIn(config, context);
    if (mistakes.length === 0) {
      for (const note of config.notes) context.note(`${file}: ${note}`);
      return context.print(`${file}: ${summaryOf(config)}`);
    }
    const lines = mistakes.map(
      ({ path, sentence }) => `${placeOf(path)}: ${path.join(".")}: ${sentence}`,
    );
    throw new ConfigError(lines.join("\n"));
  },
});

const kinds = ["htpasswd", "ldap", "oidc", "token", "silly"] as const;

function summaryOf({ http, storage, auth, proxy }: RegistryConfig): string {
  const { choice } = storage;
  return [
    `${http.addr} ${http.tls ? "with" : "without"} TLS`,
    choice.driver === "filesystem" ? choice.options.rootdirectory : choice.driver,
    kinds.filter((kind) => auth?.[kind]).join(" and ") || "open to everybody",
    ...(proxy ? ["a mirror"] : []),
  ].join(", ");
}
