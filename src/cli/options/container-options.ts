import { dataPlanes } from "../../agent/containers/container-options.ts";
import * as kind from "./kind.ts";
import type { Option } from "./option.ts";

/** The part of the table about containers alone. */
export const containerOptions = {
  containerPort: {
    group: "container",
    value: "PORT",
    kind: kind.port,
    only: "container",
    fallbackHelp: { en: "the one the image exposes", ja: "イメージが公開するポート" },
    help: {
      en: "the port the containers listen on; without --port, also the one of this host",
      ja: "コンテナが待ち受けるポート。--port がなければホスト側も同じポート",
    },
  },
  replicas: {
    group: "container",
    value: "N",
    kind: kind.positive,
    fallback: "1",
    only: "container",
    help: { en: "how many containers serve", ja: "動かすコンテナの数" },
  },
  surge: {
    group: "container",
    value: "N",
    kind: kind.positive,
    fallback: "1",
    only: "container",
    help: {
      en: "how many more there may be while they are replaced",
      ja: "入れ替え中に余分に動かしてよいコンテナの数",
    },
  },
  runtime: {
    group: "container",
    value: "ENGINE",
    kind: kind.choice(["docker", "podman"]),
    fallback: "docker",
    only: "container",
    help: { en: "docker or podman", ja: "docker または podman" },
  },
  network: {
    group: "container",
    value: "NAME",
    kind: kind.name,
    only: "container",
    help: { en: "the network the containers are in", ja: "コンテナを接続するネットワーク" },
  },
  networkAlias: {
    group: "container",
    value: "NAME",
    kind: kind.name,
    only: "container",
    help: {
      en: "what they are called in that network once they are ready; without --port, instead of a proxy",
      ja: "準備が整ったコンテナのネットワーク内での名前。--port がなければプロキシの代わりになる",
    },
  },
  cmd: {
    group: "container",
    value: "WORD",
    kind: kind.words,
    separator: /\s+/,
    only: "container",
    fallbackHelp: { en: "the image's own", ja: "イメージの既定" },
    help: {
      en: "a word of the command they run; may be repeated",
      ja: "コンテナで実行するコマンドの単語。繰り返し指定できる",
    },
  },
  proxy: {
    group: "container",
    value: "KIND",
    kind: kind.choice(dataPlanes),
    fallbackHelp: { en: "built-in", ja: "built-in" },
    only: "container",
    help: {
      en: "what carries the traffic to them: built-in, nftables, haproxy, or none",
      ja: "トラフィックを運ぶもの: built-in、nftables、haproxy または none",
    },
  },
  proxySocket: {
    group: "container",
    value: "PATH",
    kind: kind.file,
    only: "container",
    help: {
      en: "the runtime API of the HAProxy that carries it",
      ja: "トラフィックを運ぶ HAProxy のランタイム API のソケット",
    },
  },
  proxyIdleTimeout: {
    group: "container",
    value: "TIME",
    kind: kind.duration,
    fallback: "300",
    only: "container",
    help: {
      en: "close a connection that is silent for so long; 0 for never",
      ja: "この時間やり取りのない接続を閉じる。0 なら閉じない",
    },
  },
  proxyProtocol: {
    group: "container",
    value: "VERSION",
    kind: kind.choice(["v2"]),
    only: "container",
    help: {
      en: "v2: begin each connection to a container with the client's address",
      ja: "v2: コンテナへの各接続の最初にクライアントのアドレスを送る (PROXY protocol)",
    },
  },
  maxConnections: {
    group: "container",
    value: "N",
    kind: kind.connections,
    only: "container",
    fallbackHelp: {
      en: "what the limit of open files allows",
      ja: "オープンファイル数の上限まで",
    },
    help: {
      en: "the most connections at a time; one more is refused",
      ja: "同時に運ぶ接続数の上限。超えた接続は拒否する",
    },
  },
  stopOnExit: {
    group: "container",
    kind: kind.yesOrNo,
    fallback: "false",
    only: "container",
    help: {
      en: "when told to end, stop the containers too; else they serve on",
      ja: "終了を指示されたらコンテナも止める。指定しなければ動き続ける",
    },
  },
} as const satisfies Record<string, Option>;
