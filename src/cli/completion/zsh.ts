import {
  type CommandShape,
  casesOf,
  type FlagShape,
  namesOf,
  nextWords,
  quoted,
  valueCases,
  valueWords,
} from "./shape.ts";

export function zshCompletion(commands: readonly CommandShape[]): string {
  return `#compdef dewy
# completion of dewy for zsh: source <(dewy completion zsh), below compinit
_dewy() {
  local command="" skip="" word previous="\${words[CURRENT-1]}" index
  local -a found
  if [[ "\${words[CURRENT]}" == --*=* ]]; then
    previous="\${words[CURRENT]%%=*}"
    compset -P '*='
  fi
  for (( index = 2; index < CURRENT; index++ )); do
    word="\${words[index]}"
    if [[ -n "$skip" ]]; then skip=""; continue; fi
    case "$word" in
      --) _command_names -e; _files; return ;;
      ${valueWords(commands).join("|")}) skip=1 ;;
      -*) ;;
      *) case "\${command:+$command }$word" in
        ${casesOf(namesOf(commands).filter(Boolean))}) command="\${command:+$command }$word" ;;
      esac ;;
    esac
  done
  case "$command $previous" in
${commands.flatMap((command) => valueCases(command, offer)).join("\n")}
  esac
  case "$command" in
${namesOf(commands)
  .map((name) => commandCase(name, commands))
  .join("\n")}
  esac
}
compdef _dewy dewy
`;
}

function commandCase(name: string, commands: readonly CommandShape[]): string {
  const command = commands.find((one) => one.name === name);
  const flags = (command?.flags ?? []).flatMap(({ words, help }) =>
    words.map((word) => described(word, help)),
  );
  const next = nextWords(name, commands).map(({ word, summary }) => described(word, summary));
  const other =
    next.length > 0
      ? `found=(${next.join(" ")}); _describe command found; `
      : offer(command?.completes);
  return `    ${casesOf([name])})
      if [[ "$PREFIX" == -* ]]; then
        found=(${[...flags, described("--help", "show the help")].join(" ")})
        _describe -o option found
      else ${other || ":; "}fi ;;`;
}

const described = (word: string, help: string): string => quoted(help ? `${word}:${help}` : word);

function offer(completes: FlagShape["completes"]): string {
  if (completes === undefined) return "";
  if (completes === "file") return "_files; ";
  if (completes === "directory") return "_files -/; ";
  return `compadd -- ${completes.join(" ")}; `;
}
