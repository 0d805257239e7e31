import * as kind from "./kind.ts";
import type { Option } from "./option.ts";

/** The part of the table about the hosts of a fleet that wait for one another. */
export const waveOptions = {
  waves: {
    group: "waves",
    value: "WAVES",
    kind: kind.wavePlan,
    fallbackHelp: { en: "all hosts at once", ja: "全ホストが同時" },
    help: {
      en: "install on the hosts that share --cache wave by wave: how many have it after each one, such as 1,10%,50%,100%",
      ja: "--cache を共有するホストへ段階的にインストールする。各段階の後に導入済みとなる台数や割合（1,10%,50%,100% など）",
    },
  },
  waveLabel: {
    group: "waves",
    value: "NAME",
    kind: kind.waveLabel,
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
    kind: kind.waveTime,
    fallback: "15m",
    help: {
      en: "who is silent for so long is not waited for",
      ja: "この時間沈黙したホストは待たない",
    },
  },
} as const satisfies Record<string, Option>;
