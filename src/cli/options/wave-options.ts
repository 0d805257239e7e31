import * as v from "valibot";
import { labelForm, parseWavePlan } from "../../agent/waves/wave-plan.ts";
import { ConfigError, lineOf } from "../../base/errors.ts";
import * as kind from "./kind.ts";
import type { Option } from "./option.ts";

const writePlan = "write the waves, such as 1,10%,50%,100%";

/** A list in YAML, or one text of the same. */
const plan = {
  schema: v.pipe(
    v.union([v.string(), v.array(v.union([v.string(), v.number()], writePlan))], writePlan),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      try {
        return parseWavePlan([dataset.value].flat().join(","));
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        addIssue({ message: lineOf(error) });
        return NEVER;
      }
    }),
  ),
  json: {
    oneOf: [
      { type: "string", minLength: 1 },
      { type: "array", items: { type: ["string", "integer"] } },
    ],
  },
} as const satisfies kind.Kind;

const label = {
  schema: v.pipe(
    v.string("write a name"),
    v.regex(labelForm, "begin with a letter; then letters, digits, ., _ and -"),
  ),
  json: { type: "string", pattern: labelForm.source },
} as const satisfies kind.Kind;

/** Three signs of life have to fit into it. */
const timeout = {
  schema: v.pipe(kind.duration.schema, v.minValue(10_000, "write 10 or more")),
  json: kind.duration.json,
} as const satisfies kind.Kind;

/** The part of the table about the hosts of a fleet that wait for one another. */
export const waveOptions = {
  waves: {
    group: "waves",
    value: "WAVES",
    kind: plan,
    fallbackHelp: { en: "all hosts at once", ja: "全ホストが同時" },
    help: {
      en: "install on the hosts that share --cache wave by wave: how many have it after each one, such as 1,10%,50%,100%",
      ja: "--cache を共有するホストへ段階的にインストールする。各段階の後に導入済みとなる台数や割合（1,10%,50%,100% など）",
    },
  },
  waveLabel: {
    group: "waves",
    value: "NAME",
    kind: label,
    help: {
      en: "put this host into the wave of that name, as in --waves canary,25%,100%",
      ja: "このホストをその名前の段階に入れる（--waves canary,25%,100% の canary など）",
    },
  },
  waveSoak: {
    group: "waves",
    value: "TIME",
    kind: kind.duration,
    fallback: "5m",
    help: {
      en: "how long a wave has to be good before the next one begins",
      ja: "次の段階を始める前に、段階が正常であり続けるべき時間",
    },
  },
  waveFailures: {
    group: "waves",
    value: "NUMBER",
    kind: kind.positive,
    fallback: "1",
    help: {
      en: "on so many hosts a release has to be bad to be held on all others",
      ja: "この台数のホストで不良となったリリースは、ほかの全ホストで保留する",
    },
  },
  waveTimeout: {
    group: "waves",
    value: "TIME",
    kind: timeout,
    fallback: "15m",
    help: {
      en: "who is silent for so long is not waited for",
      ja: "この時間沈黙したホストは待たない",
    },
  },
} as const satisfies Record<string, Option>;
