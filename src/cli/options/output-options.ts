import * as kind from "./kind.ts";
import type { Option } from "./option.ts";

/** The part of the table about what the app writes. */
export const outputOptions = {
  appLog: {
    group: "place",
    kind: kind.yesOrNo,
    fallback: "true",
    only: "server",
    help: {
      en: "keep the newest lines that the app writes, for dewy logs and for verdicts",
      ja: "アプリの出力の最後の部分を、dewy logs と判定のために残す",
    },
  },
  noticeLogTail: {
    group: "report",
    kind: kind.yesOrNo,
    fallback: "false",
    help: {
      en: "tell the last ten lines of a release that goes into quarantine: a whole channel reads them",
      ja: "隔離されたリリースの最後の 10 行も通知する。チャンネルの全員が読める",
    },
  },
} as const satisfies Record<string, Option>;
