import * as v from "valibot";
import { ConfigError } from "../../base/errors.ts";
import type { RegistryConfig } from "../../registry/config.ts";
import { requestReplay } from "../../registry/events/dead-letters.ts";
import { endpointDirectory, queueDirectoryOf } from "../../registry/events/queue-place.ts";
import { command } from "../command.ts";
import { registryConfigOf } from "../registry-config.ts";

export const registryReplay = command({
  operands: "[config.yml]",
  completes: "file",
  flags: {
    endpoint: { value: "NAME", help: "only those of this endpoint (default: of every one)" },
  },
  epilogue: [
    "A registry that is running sends them within seconds, another one at its next start. They keep",
    "their ids, so that a receiver can tell which it has had.",
  ].join("\n"),
  input: v.strictObject({
    endpoint: v.optional(v.string()),
    operands: v.pipe(v.array(v.string()), v.maxLength(1, "give one config file at the most")),
  }),

  async run({ endpoint, operands: [file] }, context) {
    const config = await registryConfigOf(file, context);
    const directory = queueDirectoryOf(config);
    if (directory === undefined) {
      throw new ConfigError("notifications.queue.directory: is missing, so there is nothing kept", {
        hint: "set it, and start the registry anew",
      });
    }
    const names = chosen(config, endpoint);
    if (names.length === 0) context.print("notifications.endpoints: there is none");
    for (const name of names) {
      const isThere = await requestReplay(endpointDirectory(directory, name));
      const outcome = isThere ? "its dead letters are sent again" : "it has no dead letters";
      context.print(`${name}: ${outcome}`);
    }
  },
});

function chosen({ notifications }: RegistryConfig, endpoint: string | undefined): string[] {
  const names = notifications.endpoints.map(({ name }) => name);
  if (endpoint === undefined) return names;
  if (names.includes(endpoint)) return [endpoint];
  throw new ConfigError(`--endpoint: the config knows no endpoint ${endpoint}`, {
    hint: `name one of: ${names.join(", ") || "none is there"}`,
  });
}
