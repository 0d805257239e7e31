import {
  type CommandShape,
  casesOf,
  type FlagShape,
  namesOf,
  nextWords,
  valueCases,
  valueWords,
} from "./shape.ts";

/** A completion for bash; `=` is a word of its own there, as COMP_WORDBREAKS has it. */
export function bashCompletion(commands: readonly CommandShape[]): string {
  return `# completion of dewy for bash: source <(dewy completion bash)
_dewy() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local command="" skip="" word index IFS=$'\\n'
  COMPREPLY=()
  if [[ $current == "=" ]]; then current=""
  elif [[ $previous == "=" ]]; then previous="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  for (( index = 1; index < COMP_CWORD; index++ )); do
    word="\${COMP_WORDS[index]}"
    if [[ $word == "=" ]]; then continue; fi
    if [[ -n $skip ]]; then skip=""; continue; fi
    case "$word" in
      --) _dewy_offer -c -f; return ;;
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
_dewy_offer() {
  local words
  words=$(compgen "$@" -- "$current")
  [[ -z $words ]] || COMPREPLY=($words)
  case "$1" in -f|-d|-c) compopt -o filenames 2>/dev/null ;; esac
}
complete -F _dewy dewy
`;
}

function commandCase(name: string, commands: readonly CommandShape[]): string {
  const command = commands.find((one) => one.name === name);
  const flags = command?.flags.flatMap(({ words }) => words) ?? [];
  const next = nextWords(name, commands).map(({ word }) => word);
  const other = next.length > 0 ? offer(next) : offer(command?.completes);
  return `    ${casesOf([name])})
      if [[ $current == -* ]]; then ${offer([...flags, "--help"])}else ${other || ":; "}fi ;;`;
}

function offer(completes: FlagShape["completes"]): string {
  if (completes === undefined) return "";
  if (completes === "file") return "_dewy_offer -f; ";
  if (completes === "directory") return "_dewy_offer -d; ";
  return `_dewy_offer -W $'${completes.join("\\n")}'; `;
}
