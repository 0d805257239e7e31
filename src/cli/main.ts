import { Command as CommanderCommand, CommanderError } from "commander";
import { isEchoOf } from "../base/call.ts";
import { ConfigError, DewyError, lineOf, linesOf, messageOf } from "../base/errors.ts";
import {
  type Command,
  type CommandContext,
  declare,
  declareFlags,
  type StartApps,
} from "./command.ts";
import { commandAt, takesAgentOptions } from "./command-names.ts";
import { preload } from "./preload.ts";
import { version } from "./version.ts";

interface Entry {
  summary: string;
  load(): Promise<Command>;
}

/** The commands, each loaded only when it is called, so that the others do not pay for it. */
function commandsWith(start: StartApps): Record<string, Entry> {
  const commands: Record<string, Entry> = {
    server: {
      summary: "keep an application on the newest release, replaced without dropping a connection",
      load: async () => (await import("./commands/agent.ts")).agentCommand("server", start),
    },
    assets: {
      summary: "keep a directory of files on the newest release",
      load: async () => (await import("./commands/agent.ts")).agentCommand("assets", start),
    },
    container: {
      summary: "keep containers on the newest image, exchanged one by one behind an open port",
      load: async () => (await import("./commands/agent.ts")).agentCommand("container", start),
    },
    "container list": {
      summary: "show the containers of every agent on this host",
      load: async () => (await import("./commands/container-list.ts")).containerList,
    },
    run: {
      summary: "run the apps that a dewy.yaml describes, in one process",
      load: async () => (await import("./commands/run.ts")).run(start),
    },
    "config check": {
      summary: "check a dewy.yaml",
      load: async () => (await import("./commands/config.ts")).configCheck,
    },
    "config schema": {
      summary: "print the JSON Schema of dewy.yaml",
      load: async () => (await import("./commands/config.ts")).configSchema,
    },
    push: {
      summary: "publish files as a release to an OCI registry",
      load: async () => (await import("./commands/push.ts")).push,
    },
    status: {
      summary: "show what is in service, and how it is",
      load: async () => (await import("./commands/status.ts")).status,
    },
    why: {
      summary: "say why this release runs, why not another one, and what comes next",
      load: async () => (await import("./commands/status.ts")).why,
    },
    plan: {
      summary: "say what would be deployed now, and change nothing",
      load: async () => (await import("./commands/decide.ts")).plan,
    },
    deploy: {
      summary: "deploy the newest release now, or the one that is named",
      load: async () => (await import("./commands/decide.ts")).deploy,
    },
    rollback: {
      summary: "go back to the last good release, or to the one that is named",
      load: async () => (await import("./commands/decide.ts")).rollback,
    },
    pin: {
      summary: "keep to one release, whatever is published",
      load: async () => (await import("./commands/decide.ts")).pin,
    },
    unpin: {
      summary: "follow the newest release again",
      load: async () => (await import("./commands/decide.ts")).unpin,
    },
    pause: {
      summary: "deploy nothing for a while",
      load: async () => (await import("./commands/decide.ts")).pause,
    },
    resume: {
      summary: "end a pause",
      load: async () => (await import("./commands/decide.ts")).resume,
    },
    skip: {
      summary: "never deploy this release",
      load: async () => (await import("./commands/decide.ts")).skip,
    },
    retry: {
      summary: "try a release again that failed or was skipped",
      load: async () => (await import("./commands/decide.ts")).retry,
    },
    history: {
      summary: "show what was deployed, when and how it ended",
      load: async () => (await import("./commands/history.ts")).history,
    },
    logs: {
      summary: "show what the app has written",
      load: async () => (await import("./commands/logs.ts")).logs,
    },
    "registry serve": {
      summary: "serve an OCI image registry",
      load: async () => {
        preload("./commands/registry-serve.ts"); // who pulls waits for its start
        return (await import("./commands/registry-serve.ts")).registryServe;
      },
    },
    "registry config check": {
      summary: "check a config.yml, and the files and directories it names",
      load: async () => (await import("./commands/registry-config.ts")).registryConfigCheck,
    },
    "registry garbage-collect": {
      summary: "delete what no manifest names; the registry may go on serving",
      load: async () =>
        (await import("./commands/registry-garbage-collect.ts")).registryGarbageCollect,
    },
    "registry retention": {
      summary: "remove the tags that no retention rule keeps; the registry may go on serving",
      load: async () => (await import("./commands/registry-retention.ts")).registryRetention,
    },
    "registry scrub": {
      summary: "read every blob and report those that have rotted",
      load: async () => (await import("./commands/registry-scrub.ts")).registryScrub,
    },
    "registry replay": {
      summary: "send the notifications again that an endpoint did not take",
      load: async () => (await import("./commands/registry-replay.ts")).registryReplay,
    },
    "registry token create": {
      summary: "give a machine a password of its own for the image registry",
      load: async () => (await import("./commands/registry-token.ts")).tokenCreate,
    },
    "registry token list": {
      summary: "show the machines that have one, and when they were last there",
      load: async () => (await import("./commands/registry-token.ts")).tokenList,
    },
    "registry token revoke": {
      summary: "take the password of a machine away",
      load: async () => (await import("./commands/registry-token.ts")).tokenRevoke,
    },
    completion: {
      summary: "print the completion for bash, zsh or fish",
      load: async () => (await import("./commands/completion.ts")).completion(commands),
    },
  };
  return commands;
}

/** What the first words of longer commands are about. */
const families: Record<string, string> = {
  registry: "the image registry",
  "registry config": "config.yml",
  "registry token": "passwords for machines, which expire",
  config: "dewy.yaml",
};

const startWhenCalled: StartApps = async (plan, context) =>
  (await import("./start-apps.ts")).startApps(plan, context);

/**
 * Runs `dewy` with `words` and resolves to its exit status: 0, 1 for a failure, 2 for a misuse.
 *
 * `start` is given the apps of `server`, `assets` and `run`, and stands in for the agent in tests.
 */
export async function main(
  words: readonly string[],
  context: CommandContext,
  start: StartApps = startWhenCalled,
): Promise<number> {
  let family = "";
  try {
    const commands = commandsWith(start);
    const { args, warnings } = await arranged(words, Object.keys(commands));
    family = familyOf(args);
    for (const warning of warnings) context.note(`dewy: ${warning}`);
    const ready = await program(args, commands, context);
    await ready.parseAsync([...args], { from: "user" });
    return 0;
  } catch (error) {
    if (isEchoOf(context.signal, error)) return interrupted(context);
    if (error instanceof CommanderError) return statusOf(error, family, context);
    if (!(error instanceof DewyError)) throw error; // a bug: crash, and show the stack
    const isMisuse = error instanceof ConfigError;
    for (const line of isMisuse ? linesOf(error) : [lineOf(error)]) context.note(`dewy: ${line}`);
    return isMisuse ? 2 : 1;
  }
}

/** As `arguments.ts` does it, which has to load every option: not where there is nothing to do. */
async function arranged(words: readonly string[], commands: readonly string[]) {
  const command = commandAt(words, 0, commands);
  if (command !== undefined && !takesAgentOptions(command)) return { args: words, warnings: [] };
  return (await import("./arguments.ts")).arranged(words, commands);
}

/** A daemon ends well when it is told to stop, and returns; what comes here was not done. */
function interrupted({ note, signal }: CommandContext): number {
  note(`dewy: ${messageOf(signal.reason)} before it was done`);
  return 1;
}

/** The words of `args` that name a family of commands, such as `config`; none for a command. */
function familyOf(args: readonly string[]): string {
  const [word = ""] = args;
  return Object.hasOwn(families, word) ? ` ${word}` : "";
}

async function program(
  args: readonly string[],
  commands: Record<string, Entry>,
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
  if (args[0]?.startsWith("-")) {
    const { flagsOf } = await import("./options/flags.ts");
    declareFlags(
      root,
      flagsOf(() => true),
    ); // for the help alone
  }
  const called = calledIn(args, Object.keys(commands));
  for (const [name, { summary, load }] of Object.entries(commands)) {
    const target = place(root, name.split(" "), context).description(summary);
    if (name !== called) continue;
    const description = await load();
    declare(target, description);
    target.action(async (...given: unknown[]) => {
      const parsed = given.at(-1) as CommanderCommand;
      await description.runUnchecked({ ...parsed.opts(), operands: parsed.args }, context);
    });
  }
  return root;
}

/** The longest name that `args` begin with: `container` is a command, and so is `container list`. */
function calledIn(args: readonly string[], names: readonly string[]): string | undefined {
  return names
    .filter((name) => name.split(" ").every((word, place) => args[place] === word))
    .sort((a, b) => b.length - a.length)[0];
}

/** The commander command for `words`, made on the way down when it is not there. */
function place(root: CommanderCommand, words: string[], context: CommandContext): CommanderCommand {
  return words.reduce((parent, word, depth) => {
    const known = parent.commands.find((candidate) => candidate.name() === word);
    if (known) return known;
    const added = parent.command(word).helpCommand(false);
    added.description(families[words.slice(0, depth + 1).join(" ")] ?? "");
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

function statusOf(error: CommanderError, family: string, context: CommandContext): number {
  if (error.exitCode === 0) return 0;
  if (error.code === "commander.help") {
    context.note(`dewy: no command; \`dewy${family} --help\` lists them`);
    return 2;
  }
  const [sentence = "", ...suggestion] = error.message.replace(/^error: /, "").split("\n");
  const words = [sentence.replace(/\.$/, ""), ...suggestion].filter(Boolean).join(" ");
  context.note(`dewy: ${words}: see \`dewy --help\`, or \`dewy COMMAND --help\``);
  return 2;
}
