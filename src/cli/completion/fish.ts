import { type CommandShape, type FlagShape, namesOf, nextWords, valueWords } from "./shape.ts";

export function fishCompletion(commands: readonly CommandShape[]): string {
  return `# completion of dewy for fish: dewy completion fish | source
function __dewy_is
  set -l command
  set -l skip
  for word in (commandline -opc)[2..]
    if test -n "$skip"
      set skip
      continue
    end
    switch $word
      case --
        return 1
      case ${valueWords(commands).join(" ")}
        set skip yes
      case '-*'
      case '*'
        set -l longer (string join ' ' $command $word)
        if contains -- $longer ${namesOf(commands).filter(Boolean).map(quotedForFish).join(" ")}
          set command $longer
        end
    end
  end
  test "$command" = "$argv[1]"
end
complete -c dewy -n 'not contains -- -- (commandline -opc)' -f
${namesOf(commands)
  .flatMap((name) => linesOf(name, commands))
  .join("\n")}
`;
}

function linesOf(name: string, commands: readonly CommandShape[]): string[] {
  const command = commands.find((one) => one.name === name);
  const start = `complete -c dewy -n ${quotedForFish(`__dewy_is ${quotedForFish(name)}`)}`;
  const next = nextWords(name, commands).map(
    ({ word, summary }) => `${start} -a ${word}${summary && ` -d ${quotedForFish(summary)}`}`,
  );
  const operands = command?.completes ? [`${start}${valuesOf(command.completes)}`] : [];
  const flags = (command?.flags ?? []).map((flag) => `${start} ${flagLine(flag)}`);
  return [...next, ...operands, ...flags, `${start} -l help -s h -d 'show the help'`];
}

function flagLine({ words, help, takesValue, completes }: FlagShape): string {
  const names = words.map((word) =>
    word.startsWith("--") ? `-l ${word.slice(2)}` : `-s ${word.slice(1)}`,
  );
  const values = completes ? valuesOf(completes) : "";
  return `${names.join(" ")}${takesValue ? ` ${completes ? "-r" : "-x"}${values}` : ""} -d ${quotedForFish(help)}`;
}

function valuesOf(completes: NonNullable<FlagShape["completes"]>): string {
  if (completes === "file") return " -F";
  if (completes === "directory") return " -f -a '(__fish_complete_directories)'";
  return ` -f -a ${quotedForFish(completes.join(" "))}`;
}

const quotedForFish = (text: string): string =>
  `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
