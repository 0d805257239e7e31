import { dashed, groups, type Option, variableOf } from "../src/cli/options/option.ts";
import { optionEntries } from "../src/cli/options/table.ts";

type Language = "en" | "ja";

const words = {
  en: {
    title: "Configuration",
    other: "([日本語](ja/configuration.md))",
    intro: `Every option of the agent can be given in three ways. The first that has it is heard:

1. on the command line: \`--log-level debug\`, before or after the command;
2. in the environment: \`DEWY_LOG_LEVEL=debug\`; a variable that is empty is one that is not set;
3. in \`dewy.yaml\`: \`log-level: debug\`.

Times are seconds (\`10\`) or durations (\`1m30s\`). A switch is on by its name; \`--telemetry=false\` turns off what a variable or the file has turned on. What is wrong is said before anything starts, each with its place, and the exit status is 2.`,
    columns: ["option", "variable", "default", ""],
    several: "values separated by spaces or lines",
    commas: "values separated by commas",
    only: (modes: readonly string[]) =>
      `${modes.map((mode) => `\`dewy ${mode}\``).join(", ")} only`,
    off: "off",
    file: `## dewy.yaml

\`dewy server\`, \`dewy assets\` and \`dewy container\` read the \`dewy.yaml\` of the working directory, if it is there, or the file that \`--config\` or \`DEWY_CONFIG\` names. Its keys are the options, and two more: \`command\`, a list, and \`mode\`, \`server\` (the default), \`assets\` or \`container\`; of containers, \`command\` holds options of the engine's \`run\`. Directories are relative to the file.`,
    one: "# one app",
    apps: `Below \`apps\`, one file describes several, which \`dewy run [dewy.yaml]\` runs in one process. What is said at the top is said of each app; what an app says itself is heard first, before variables too. The options of "${groups.process.en}" are said at the top. An app without a \`directory\` has one of its own name, beside the file or below the \`directory\` at the top.`,
    check: `\`dewy config check [dewy.yaml]\` says what is wrong, or prints a line for each app: it looks at all that a start here would look at, so \`GITHUB_TOKEN\` and the like have to be set. \`dewy config schema\` prints the JSON Schema for editors; it is [here](dewy.schema.json), too.

## Shells

\`source <(dewy completion bash)\` completes commands, options and values; for zsh and fish see \`dewy completion --help\`.`,
  },
  ja: {
    title: "設定",
    other: "([English](../configuration.md))",
    intro: `エージェントのオプションはすべて、次の三つの方法で指定できます。上にあるものが優先されます。

1. コマンドライン: \`--log-level debug\`。コマンドの前でも後でもかまいません。
2. 環境変数: \`DEWY_LOG_LEVEL=debug\`。空の変数は、ないものとして扱います。
3. \`dewy.yaml\`: \`log-level: debug\`。

時間は秒数（\`10\`）または長さ（\`1m30s\`）で書きます。スイッチは名前だけで有効になり、環境変数やファイルで有効にしたものは \`--telemetry=false\` で無効にできます。間違いは何かを始める前にその場所とともに示され、終了ステータスは 2 です。`,
    columns: ["オプション", "環境変数", "デフォルト", ""],
    several: "複数の値は空白または改行で区切る",
    commas: "複数の値はカンマで区切る",
    only: (modes: readonly string[]) =>
      `${modes.map((mode) => `\`dewy ${mode}\``).join("、")} のみ`,
    off: "無効",
    file: `## dewy.yaml

\`dewy server\`、\`dewy assets\`、\`dewy container\` は、作業ディレクトリに \`dewy.yaml\` があればそれを、\`--config\` または \`DEWY_CONFIG\` があればそのファイルを読みます。キーはオプションと同じで、ほかに \`command\`（リスト）と \`mode\`（\`server\` がデフォルト、ほかに \`assets\` と \`container\`）があります。コンテナでは \`command\` にエンジンの \`run\` のオプションを書きます。ディレクトリはファイルからの相対パスです。`,
    one: "# 一つのアプリ",
    apps: `\`apps\` の下には複数のアプリを書けます。\`dewy run [dewy.yaml]\` はそれらを一つのプロセスで動かします。最上位に書いたことは各アプリに当てはまり、アプリ自身に書いたことが環境変数よりも優先されます。「${groups.process.ja}」のオプションは最上位に書きます。\`directory\` のないアプリは、ファイルの隣、または最上位の \`directory\` の下に、自分の名前のディレクトリを持ちます。`,
    check: `\`dewy config check [dewy.yaml]\` は間違いを示すか、アプリごとに一行を表示します。このホストでの起動と同じことを調べるので、\`GITHUB_TOKEN\` などが必要です。\`dewy config schema\` はエディター向けの JSON Schema を表示します。[ここ](../dewy.schema.json)にもあります。

## シェル

\`source <(dewy completion bash)\` でコマンド、オプション、値が補完されます。zsh と fish については \`dewy completion --help\` を見てください。`,
  },
};

const severalApps = `\`\`\`yaml
interval: 30
notifier: slack://deploys
apps:
  web:
    registry: ghr://owner/web
    port: 8000
    command: [current/web, --listen, ":8000"]
  pages:
    registry: s3://eu-west-1/releases/pages
    mode: assets
    directory: /var/www/pages
\`\`\``;

/** \`docs/configuration.md\`, made of the table of options. */
export function configurationPage(language: Language): string {
  const say = words[language];
  const tables = Object.entries(groups).map(
    ([group, name]) => `## ${name[language]}\n\n${tableOf(group, language)}`,
  );
  const oneApp = `\`\`\`yaml
${say.one}
registry: ghr://owner/app
port: [8000, "8010-8012"]
drain-time: 1m
command: [current/app, -v]
\`\`\``;
  return `${[
    ...[`# ${say.title}`, say.other, say.intro, ...tables],
    ...[say.file, oneApp, say.apps, severalApps, say.check],
  ].join("\n\n")}\n`;
}

function tableOf(group: string, language: Language): string {
  const rows = optionEntries
    .filter(([, option]) => option.group === group)
    .map(([name, option]) => rowOf(name, option, language));
  const { columns } = words[language];
  return [columns, columns.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");
}

function rowOf(name: string, option: Option, language: Language): string[] {
  const { short, value, separator, only, help, fallback, fallbackHelp } = option;
  const say = words[language];
  const flag = `\`${short ? `-${short}, ` : ""}--${dashed(name)}${value ? ` ${value}` : ""}\``;
  const notes = [
    ...(separator ? [separator.test(",") ? say.commas : say.several] : []),
    ...(only ? [say.only([only].flat())] : []),
  ];
  const shown = fallbackHelp?.[language] ?? (value ? fallback && `\`${fallback}\`` : say.off);
  return [
    flag,
    `\`${variableOf(name)}\``,
    shown ?? "",
    [help[language], ...notes].join(language === "ja" ? "。" : "; "),
  ];
}
