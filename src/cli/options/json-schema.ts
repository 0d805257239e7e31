import { modes } from "../../agent/event.ts";
import { name, words } from "./kind.ts";
import { dashed, type Option } from "./option.ts";
import { optionEntries } from "./table.ts";

const ownProperties = {
  command: {
    description:
      "the program to run, and its arguments; of containers, options of the engine's run",
    type: "array",
    items: { type: "string" },
    minItems: 1,
  },
  mode: {
    description: "run a command, place files, or run containers",
    enum: modes,
    default: "server",
  },
};

const groupProperties = {
  group: {
    description: "apps that name the same group run the same tag, or none of them does",
    ...name.json,
  },
  after: {
    description: "the apps of its group that move before it",
    ...words.json,
  },
};

/** The form of `dewy.yaml` for editors: JSON Schema, draft 2020-12. */
export function jsonSchema(): object {
  const ofApps = optionEntries.filter(([name, { shared }]) => !shared && name !== "name");
  const ofFile = optionEntries.filter(([, { outsideFile }]) => !outsideFile);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "dewy.yaml",
    description: "What dewy run, dewy server, dewy assets and dewy container read",
    type: "object",
    additionalProperties: false,
    properties: {
      ...propertiesOf(ofFile),
      ...ownProperties,
      apps: {
        description: "several apps by their names; what is said above them is said of each",
        type: "object",
        minProperties: 1,
        propertyNames: { pattern: "^\\w[\\w.-]{0,127}$" },
        additionalProperties: {
          type: "object",
          additionalProperties: false,
          properties: { ...propertiesOf(ofApps), ...ownProperties, ...groupProperties },
        },
      },
    },
  };
}

function propertiesOf(entries: readonly (readonly [string, Option])[]): Record<string, object> {
  return Object.fromEntries(
    entries.map(([name, { help, kind, fallback }]) => [
      dashed(name),
      {
        description: help.en,
        ...kind.json,
        ...(fallback !== undefined && { default: natural(fallback) }),
      },
    ]),
  );
}

/** `10` and `false` as what YAML reads them as. */
function natural(text: string): unknown {
  return /^(\d+|true|false)$/.test(text) ? JSON.parse(text) : text;
}
