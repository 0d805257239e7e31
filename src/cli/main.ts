import { Command as CommanderCommand, CommanderError } from "commander";
import { isEchoOf } from "../base/call.ts";
import { ConfigError, DewyError, lineOf, messageOf } from "../base/errors.ts";
import { type Command, type CommandContext, declare } from "./command.ts";
import { version } from "./version.ts";

/** The commands, each loaded only when it is called, so that the others do not pay for it. */
const commands: Record<string, { summary: string; load(): Promise<Command> }> = {
  server: {
    summary: "keep an application on the newest release, replaced without dropping a connection",
    load: async () => (await import("./commands/server.ts")).server,
  },
  push: {
    summary: "publish files as a release to an OCI registry",
    load: async () => (await import("./commands/push.ts")).push,
  },
  history: {
    summary: "show what was deployed, when and how it ended",
    load: async () => (await import("./commands/history.ts")).history,
  },
  "registry serve": {
    summary: "serve an OCI image registry",
    load: async () => (await import("./commands/registry-serve.ts")).registryServe,
  },
};

/** Runs `dewy` with `args` and resolves to its exit status: 0, 1 for a failure, 2 for a misuse. */
export async function main(args: readonly string[], context: CommandContext): Promise<number> {
  try {
    await program(args, context).then((ready) => ready.parseAsync([...args], { from: "user" }));
    return 0;
  } catch (error) {
    if (isEchoOf(context.signal, error)) return interrupted(context);
    if (error instanceof CommanderError) return statusOf(error, context);
    if (!(error instanceof DewyError)) throw error; // a bug: crash, and show the stack
    context.note(`dewy: ${lineOf(error)}`);
    return error instanceof ConfigError ? 2 : 1;
  }
}

/** A daemon ends well when it is told to stop, and returns; what comes here was not done. */
function interrupted({ note, signal }: CommandContext): number {
  note(`dewy: ${messageOf(signal.reason)} before it was done`);
  return 1;
}

async function program(
  args: readonly string[],
  context: CommandContext,
): Promise<CommanderCommand> {
  const root = new CommanderCommand("dewy")
    .description(
      "Deploys the newest release on plain servers, and serves the images it comes from.",
    )
    .version(`dewy version: ${version()}`, "-v, --version", "print the version")
    .helpOption("-h, --help", "show this help, or that of a command")
    .helpCommand(false);
  quiet(root, context);
  for (const [name, { summary, load }] of Object.entries(commands)) {
    const target = place(root, name.split(" "), context).description(summary);
    if (!name.split(" ").every((word) => args.includes(word))) continue;
    const description = await load();
    declare(target, description);
    target.action(async (...given: unknown[]) => {
      const parsed = given.at(-1) as CommanderCommand;
      await description.runUnchecked({ ...parsed.opts(), operands: parsed.args }, context);
    });
  }
  return root;
}

/** The commander command for `words`, made on the way down when it is not there. */
function place(root: CommanderCommand, words: string[], context: CommandContext): CommanderCommand {
  return words.reduce((parent, word) => {
    const known = parent.commands.find((candidate) => candidate.name() === word);
    if (known) return known;
    const added = parent.command(word).helpCommand(false);
    if (words.length > 1 && word === words[0]) added.description("the image registry");
    quiet(added, context);
    return added;
  }, root);
}

/** Has commander print through the context, and throw where it would exit. */
function quiet(target: CommanderCommand, context: CommandContext): void {
  target.exitOverride().configureOutput({
    writeOut: (text) => context.print(text.trimEnd()),
    writeErr: () => {},
  });
}

function statusOf(error: CommanderError, context: CommandContext): number {
  if (error.exitCode === 0) return 0;
  if (error.code === "commander.help") {
    context.note("dewy: no command; `dewy --help` lists them");
    return 2;
  }
  const [sentence = "", ...suggestion] = error.message.replace(/^error: /, "").split("\n");
  const words = [sentence, ...suggestion].filter(Boolean).join(" ");
  context.note(`dewy: ${words}: see \`dewy --help\`, or \`dewy COMMAND --help\``);
  return 2;
}
