import * as kind from "./kind.ts";
import type { Option } from "./option.ts";

/** The part of the table about how a release proves itself. */
export const healthOptions = {
  healthPath: {
    group: "health",
    value: "PATH",
    kind: kind.path,
    only: ["server", "container"],
    fallbackHelp: { en: "every port is accepted on", ja: "すべてのポートで接続を受け付けること" },
    help: {
      en: "a new process is ready when GET PATH on its first port answers well",
      ja: "最初のポートへの GET PATH が正しく応答したら、新しいプロセスは準備完了",
    },
  },
  healthStatus: {
    group: "health",
    value: "CODES",
    kind: kind.statusRanges,
    fallback: "200-399",
    only: ["server", "container"],
    help: { en: "the status codes that are well", ja: "正常とみなすステータスコード" },
  },
  healthMatch: {
    group: "health",
    value: "TEXT",
    kind: kind.text,
    only: ["server", "container"],
    help: {
      en: "must be in the body or a header of the answer; {tag} and {version} stand for the release",
      ja: "応答の本文かヘッダーに含まれるべき文字列。{tag} と {version} はリリースのもの",
    },
  },
  healthGrpc: {
    group: "health",
    kind: kind.yesOrNo,
    fallback: "false",
    only: ["server", "container"],
    help: {
      en: "a new process is ready when grpc.health.v1 on its first port answers SERVING",
      ja: "最初のポートの grpc.health.v1 が SERVING と答えたら、新しいプロセスは準備完了",
    },
  },
  healthNotify: {
    group: "health",
    value: "HOW",
    kind: kind.notify,
    only: "server",
    help: {
      en: "a new process is ready when it says so: systemd for sd_notify, fd:N for a line to descriptor N",
      ja: "新しいプロセスが自ら知らせたら準備完了: sd_notify なら systemd、ファイル記述子 N への 1 行なら fd:N",
    },
  },
  healthCommand: {
    group: "health",
    value: "COMMAND",
    kind: kind.text,
    help: {
      en: "a new release is ready when this, run by sh, ends with status 0; DEWY_TAG and DEWY_PID tell which",
      ja: "sh で実行してステータス 0 で終われば準備完了。対象は DEWY_TAG と DEWY_PID で分かる",
    },
  },
  healthTimeout: {
    group: "health",
    value: "TIME",
    kind: kind.healthTime,
    fallback: "30",
    help: {
      en: "within which a new release has to be ready, else the old one stays",
      ja: "この時間内に準備完了にならなければ、元のリリースのままにする",
    },
  },
  healthInterval: {
    group: "health",
    value: "TIME",
    kind: kind.rhythm,
    fallback: "2",
    only: "container",
    help: {
      en: "ask a container that serves again so often; 0 for never",
      ja: "稼働中のコンテナをこの間隔で再び確認する。0 なら確認しない",
    },
  },
  minUptime: {
    group: "health",
    value: "TIME",
    kind: kind.shortTime,
    fallback: "1",
    only: ["server", "container"],
    help: {
      en: "how long a new process has to stay up before it counts",
      ja: "新しいプロセスが有効とみなされるまで動き続けるべき時間",
    },
  },
  bake: {
    group: "health",
    value: "TIME",
    kind: kind.shortTime,
    fallback: "0",
    help: {
      en: "watch a new release in the traffic for so long, beside the old one, and take it back when it fails",
      ja: "新しいリリースを元のものと並べてこの時間トラフィックの中で見守り、失敗したら元に戻す",
    },
  },
  watch: {
    group: "health",
    value: "TIME",
    kind: kind.age,
    fallback: "1h",
    only: ["server", "container"],
    help: {
      en: "count the crashes of a release for so long after its deployment; 0 for not at all",
      ja: "デプロイ後この時間、リリースのクラッシュを数える。0 なら数えない",
    },
  },
  crashLimit: {
    group: "health",
    value: "N",
    kind: kind.positive,
    fallback: "3",
    only: ["server", "container"],
    help: {
      en: "so many of them, and the last good release is put back by itself",
      ja: "この回数クラッシュしたら、最後の正常なリリースに自動で戻す",
    },
  },
  failureLimit: {
    group: "health",
    value: "N",
    kind: kind.positive,
    fallback: "3",
    help: {
      en: "a release that failed so often by its own fault is tried no more",
      ja: "リリース自身の問題でこの回数失敗したら、もう試さない",
    },
  },
} as const satisfies Record<string, Option>;
