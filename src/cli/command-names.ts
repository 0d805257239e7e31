/** The commands whose arguments are the options of the agent. */
const agentCommands = ["server", "assets", "container"];

/** In words: `registry token create`. */
const longestName = 3;

/** Whether `command` is one of those whose options may stand anywhere, under old names, too. */
export function takesAgentOptions(command: string): boolean {
  return agentCommands.includes(command);
}

/** The longest name of a command that begins at `place`. */
export function commandAt(
  args: readonly string[],
  place: number,
  commands: readonly string[],
): string | undefined {
  for (let length = longestName; length > 1; length--) {
    const words = args.slice(place, place + length).join(" ");
    if (commands.includes(words)) return words;
  }
  const word = args[place] ?? "";
  return commands.some((name) => name.split(" ")[0] === word) ? word : undefined;
}
