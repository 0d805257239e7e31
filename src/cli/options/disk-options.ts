import * as kind from "./kind.ts";
import type { Option } from "./option.ts";

/** The part of the table about the disk. The images of containers are their engine's. */
export const diskOptions = {
  diskReserve: {
    group: "place",
    value: "SIZE",
    kind: kind.bytes,
    only: ["server", "assets"],
    fallbackHelp: {
      en: "256MiB, at most 5% of the disk",
      ja: "256MiB（最大でディスクの 5%）",
    },
    help: {
      en: "fetch nothing that would leave less of the disk free, such as 1GiB",
      ja: "ディスクの空きがこれより少なくなるものは取得しない（1GiB など）",
    },
  },
  diskBudget: {
    group: "place",
    value: "SIZE",
    kind: kind.bytes,
    only: ["server", "assets"],
    fallbackHelp: { en: "as much as there is", ja: "制限なし" },
    help: {
      en: "what the app's releases and artifacts may take in all, such as 2GiB: old ones are removed",
      ja: "アプリのリリースとアーティファクトの合計の上限（2GiB など）。古いものから削除する",
    },
  },
} as const satisfies Record<string, Option>;
