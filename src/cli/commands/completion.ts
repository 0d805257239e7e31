import * as v from "valibot";
import { type Command, command } from "../command.ts";
import { bashCompletion } from "../completion/bash.ts";
import { fishCompletion } from "../completion/fish.ts";
import { shapeOf } from "../completion/shape.ts";
import { zshCompletion } from "../completion/zsh.ts";
import { flagsOf } from "../options/flags.ts";

const renderers = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };
const shells = Object.keys(renderers) as (keyof typeof renderers)[];
const nameOne = `name your shell: ${shells.join(", ")}`;

type Entries = Readonly<Record<string, { summary: string; load(): Promise<Command> }>>;

/** Prints what a shell has to read to complete the command lines of `commands`. */
export function completion(commands: Entries): Command {
  return command({
    operands: "[shell]",
    completes: shells,
    flags: {},
    epilogue: [
      "  source <(dewy completion bash)        in ~/.bashrc",
      "  source <(dewy completion zsh)         in ~/.zshrc, below compinit",
      "  dewy completion fish | source         in ~/.config/fish/config.fish",
    ].join("\n"),
    input: v.strictObject({
      operands: v.pipe(v.tuple([v.picklist(shells, nameOne)], nameOne)),
    }),

    async run({ operands: [shell] }, { print }) {
      const shapes = await Promise.all(
        Object.entries(commands).map(async ([name, { summary, load }]) =>
          shapeOf(name, summary, await load()),
        ),
      );
      const root = shapeOf("", "", { flags: flagsOf(() => true) });
      print(renderers[shell]([root, ...shapes]).trimEnd());
    },
  });
}
