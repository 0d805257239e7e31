import type * as v from "valibot";
import { containerOptions } from "./container-options.ts";
import { diskOptions } from "./disk-options.ts";
import { healthOptions } from "./health-options.ts";
import * as kind from "./kind.ts";
import type { Option } from "./option.ts";
import { outputOptions } from "./output-options.ts";
import { verifyOptions } from "./verify-options.ts";
import { waveOptions } from "./wave-options.ts";

/** Every option of the agent, in the order of the help. */
export const options = {
  registry: {
    group: "release",
    value: "URL",
    kind: kind.url("ghr://owner/repository"),
    help: {
      en: "where releases are announced: ghr://owner/repository, img://host/repository, s3://region/bucket/prefix, gs://bucket/prefix or grpc://host:port",
      ja: "リリースを知らせる場所: ghr://owner/repository、img://host/repository、s3://region/bucket/prefix、gs://bucket/prefix、grpc://host:port",
    },
  },
  interval: {
    group: "release",
    value: "TIME",
    short: "i",
    kind: kind.interval,
    fallback: "10",
    help: {
      en: "how often to look: seconds, or a duration such as 1m30s",
      ja: "確認する間隔: 秒数、または 1m30s のような長さ",
    },
  },
  slot: {
    group: "release",
    value: "NAME",
    short: "s",
    kind: kind.text,
    help: {
      en: "deploy only versions with this build metadata, such as blue for v1.2.3+blue",
      ja: "このビルドメタデータを持つバージョンだけをデプロイする（v1.2.3+blue なら blue）",
    },
  },
  calver: {
    group: "release",
    value: "FORMAT",
    kind: kind.text,
    help: {
      en: "tags are calendar versions of this format, such as YYYY.0M.MICRO",
      ja: "タグはこの形式のカレンダーバージョン（YYYY.0M.MICRO など）",
    },
  },
  constraint: {
    group: "release",
    value: "RANGE",
    kind: kind.text,
    help: {
      en: "deploy only versions in this range, such as ^1.4 or '>=1.2 <2'",
      ja: "この範囲のバージョンだけをデプロイする（^1.4 や '>=1.2 <2' など）",
    },
  },
  window: {
    group: "release",
    value: "WINDOW",
    kind: kind.windows,
    separator: /;/,
    fallbackHelp: { en: "at any time", ja: "いつでも" },
    help: {
      en: "install only then, such as 'Mon-Thu 10:00-16:00 Asia/Tokyo'; may be repeated",
      ja: "この時間帯にだけインストールする（'Mon-Thu 10:00-16:00 Asia/Tokyo' など）。繰り返し指定できる",
    },
  },
  minAge: {
    group: "release",
    value: "TIME",
    kind: kind.age,
    fallback: "0",
    help: {
      en: "install a release only when it is so old, such as 24h",
      ja: "公開からこれだけ経ったリリースだけをインストールする（24h など）",
    },
  },
  cache: {
    group: "release",
    value: "URL",
    short: "c",
    kind: kind.url("file:///directory, memory:// or redis://host:6379"),
    fallbackHelp: { en: "files under DIR/.dewy", ja: "DIR/.dewy の下のファイル" },
    help: {
      en: "what is fetched is kept, or shared by hosts, here: file://, memory://, redis://, rediss://, consul://, s3:// or gs://",
      ja: "取得したものを保管し、ホスト間で共有する場所: file://、memory://、redis://、rediss://、consul://、s3://、gs://",
    },
  },
  ...verifyOptions,
  port: {
    group: "place",
    value: "PORTS",
    short: "p",
    kind: kind.ports,
    separator: /,/,
    only: ["server", "container"],
    fallbackHelp: {
      en: "none, a worker; for containers the one the image exposes",
      ja: "なし（ワーカー）。コンテナではイメージが公開するポート",
    },
    help: {
      en: "the ports it serves: 8000, 8000,8001 or 8000-8005, and 80:8080 for a container's; may be repeated",
      ja: "待ち受けるポート: 8000、8000,8001、8000-8005。コンテナでは 80:8080 も可。繰り返し指定できる",
    },
  },
  drainTime: {
    group: "place",
    value: "TIME",
    kind: kind.duration,
    fallback: "30",
    only: ["server", "container"],
    help: {
      en: "how long what is replaced may take to finish its requests",
      ja: "入れ替えられるものがリクエストを終えるまで待つ時間",
    },
  },
  handover: {
    group: "place",
    kind: kind.yesOrNo,
    fallback: "false",
    only: "server",
    help: {
      en: "keep the ports open between two agents, and when told to end, leave the app draining to the next one",
      ja: "エージェントの交代中もポートを開いたままにし、終了を指示されたら、接続を処理中のアプリを次のエージェントに引き継ぐ",
    },
  },
  directory: {
    group: "place",
    value: "PATH",
    short: "d",
    kind: kind.directory,
    fallbackHelp: { en: "the working directory", ja: "作業ディレクトリ" },
    help: {
      en: "holds current, releases/ and .dewy/; a web server is pointed at PATH/current",
      ja: "current、releases/、.dewy/ を置く場所。Web サーバーには PATH/current を公開させる",
    },
  },
  name: {
    group: "place",
    value: "NAME",
    kind: kind.name,
    fallbackHelp: {
      en: "the last part of the registry's place, else the directory's name",
      ja: "レジストリの場所の最後の部分。なければディレクトリ名",
    },
    help: {
      en: "what the app is called in logs, notices and metrics",
      ja: "ログ、通知、メトリクスでのアプリの名前",
    },
  },
  scrubEnv: {
    group: "place",
    kind: kind.yesOrNo,
    fallback: "false",
    help: {
      en: "start the app and the hooks without the agent's own secrets",
      ja: "エージェント自身の秘密情報を渡さずにアプリとフックを起動する",
    },
  },
  ...diskOptions,
  ...containerOptions,
  ...healthOptions,
  ...waveOptions,
  notifier: {
    group: "report",
    value: "URL",
    kind: kind.urls("slack://channel?title=app or mail://host:587/recipient@example.com"),
    separator: /\s+/,
    deprecatedName: "notify",
    help: {
      en: "whom to tell: slack://channel or mail://host:port/recipient; may be repeated",
      ja: "通知先: slack://channel、mail://host:port/recipient。繰り返し指定できる",
    },
  },
  ...outputOptions,
  beforeDeployHook: {
    group: "report",
    value: "COMMAND",
    kind: kind.text,
    help: {
      en: "run by sh before the switch; when it fails, nothing is deployed",
      ja: "切り替えの前に sh で実行する。失敗すると何もデプロイしない",
    },
  },
  afterDeployHook: {
    group: "report",
    value: "COMMAND",
    kind: kind.text,
    help: {
      en: "run by sh after the switch; when it fails, the deployment stands",
      ja: "切り替えの後に sh で実行する。失敗してもデプロイは有効",
    },
  },
  rollbackHook: {
    group: "report",
    value: "COMMAND",
    kind: kind.text,
    help: {
      en: "run by sh after a failed release was taken back",
      ja: "失敗したリリースを元に戻した後に sh で実行する",
    },
  },
  logLevel: {
    group: "process",
    value: "LEVEL",
    short: "l",
    kind: kind.choice(["debug", "info", "warn", "error"]),
    fallback: "info",
    shared: true,
    help: { en: "debug, info, warn, error", ja: "debug、info、warn、error" },
  },
  logFormat: {
    group: "process",
    value: "FORMAT",
    short: "f",
    kind: kind.choice(["text", "json"]),
    fallback: "text",
    shared: true,
    help: { en: "text or json", ja: "text または json" },
  },
  telemetry: {
    group: "process",
    kind: kind.yesOrNo,
    fallback: "false",
    shared: true,
    help: {
      en: "serve metrics for Prometheus at /metrics of the admin port",
      ja: "管理ポートの /metrics で Prometheus 向けのメトリクスを公開する",
    },
  },
  otlpEndpoint: {
    group: "process",
    value: "HOST:PORT",
    kind: kind.text,
    shared: true,
    help: {
      en: "send metrics there by OTLP; turns --telemetry on",
      ja: "メトリクスを OTLP でここへ送る。--telemetry も有効になる",
    },
  },
  otlpInsecure: {
    group: "process",
    kind: kind.yesOrNo,
    fallback: "false",
    shared: true,
    help: { en: "send them without TLS", ja: "TLS を使わずに送る" },
  },
  adminPort: {
    group: "process",
    value: "PORT",
    kind: kind.port,
    fallback: "17539",
    shared: true,
    help: {
      en: "the first port on 127.0.0.1 to try for the admin API, when telemetry is on",
      ja: "telemetry が有効なとき、管理 API のために 127.0.0.1 で最初に試すポート",
    },
  },
  config: {
    group: "process",
    value: "FILE",
    kind: kind.file,
    shared: true,
    outsideFile: true,
    fallbackHelp: {
      en: "dewy.yaml in the working directory, if it is there",
      ja: "作業ディレクトリに dewy.yaml があればそれ",
    },
    help: {
      en: "read options from this file",
      ja: "このファイルからオプションを読む",
    },
  },
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof options;
export const optionNames = Object.keys(options) as OptionName[];

type Given<Name extends OptionName> = v.InferOutput<(typeof options)[Name]["kind"]["schema"]>;
type Maybe<Name extends OptionName> = (typeof options)[Name] extends { fallback: string }
  ? Given<Name>
  : Given<Name> | undefined;

/** What all options come to, once they are read and checked. */
export type OptionValues = { [Name in OptionName]: Maybe<Name> };

/** The same table, for who needs no more than the form of an entry. */
export const optionEntries: readonly (readonly [OptionName, Option])[] = optionNames.map((name) => [
  name,
  options[name],
]);
