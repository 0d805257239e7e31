import { resolve } from "node:path";
import * as v from "valibot";
import { asConfigError, ConfigError, DewyError } from "../../base/errors.ts";
import { parseDuration } from "../../base/schema.ts";
import { RuleAction } from "../../registry/auth/access-rules.ts";
import { type RobotTokens, robotTokensIn } from "../../registry/auth/robot-tokens.ts";
import { robotPathsOf } from "../../registry/auth/robots.ts";
import { RepositoryGlob } from "../../registry/repository-glob.ts";
import { type CommandContext, command, type Flag } from "../command.ts";
import { registryConfigOf } from "../registry-config.ts";
import { robotTable } from "../robot-table.ts";

const configHelp = [
  "The file is the one that the registry is served with; REGISTRY_CONFIGURATION_PATH may name it",
  "as well. A registry that runs knows of the change within a second.",
].join("\n");
const json: Flag = { help: "print JSON, for programs" };
const longestMs = parseDuration("36525d") ?? 0;

const Expiry = v.pipe(
  v.string(),
  v.transform((text) => (text === "never" ? Number.POSITIVE_INFINITY : parseDuration(text))),
  v.number("write a duration such as 90d or 12h, or never"),
  v.minValue(1_000, "write a duration of at least 1s, or never"),
  v.check((ms) => ms <= longestMs || ms === Number.POSITIVE_INFINITY, "write never instead"),
);

const Listed = v.pipe(
  v.array(v.string()),
  v.transform((texts) => texts.flatMap((text) => text.split(",")).map((text) => text.trim())),
);

type Action = v.InferOutput<typeof RuleAction>;
const actionForm = "write some of pull, push, delete, or *";
const areActions = (value: unknown) => v.is(v.pipe(v.array(RuleAction), v.minLength(1)), value);

export const tokenCreate = command({
  operands: "[config.yml]",
  completes: "file",
  flags: {
    repository: { value: "GLOB", many: true, help: "where, such as team/app, team/* or **" },
    action: {
      value: "ACTIONS",
      many: true,
      completes: ["pull", "push", "delete", "*"],
      help: "what for, such as pull,push (default pull)",
    },
    expires: { value: "DURATION", help: "when it ends: 90d, 12h or never (default 90d)" },
    name: { value: "NAME", help: "what it is called (default: a name that says nothing)" },
    json,
  },
  epilogue: `The password is printed once, and kept nowhere.\n\n${configHelp}`,
  input: v.strictObject({
    repository: v.pipe(
      v.optional(Listed, []),
      v.minLength(1, "say where, such as --repository team/*"),
      v.check(
        (globs) => v.is(v.array(RepositoryGlob), globs),
        "write a repository, such as team/*, in lower case",
      ),
    ),
    action: v.pipe(v.optional(Listed, ["pull"]), v.custom<Action[]>(areActions, actionForm)),
    expires: v.optional(Expiry, "90d"),
    name: v.optional(v.string()),
    json: v.optional(v.boolean(), false),
    operands: v.pipe(v.array(v.string()), v.maxLength(1, "give one config file at the most")),
  }),

  async run({ repository, action, expires, name, json, operands: [file] }, context) {
    const tokens = await tokensOf(file, context);
    const wanted = { repositories: repository, actions: action, expiresInMs: expires, name };
    const { user, password, expiresAt } = await misuse(tokens.create(wanted));
    if (json) {
      context.print(JSON.stringify({ user, password: password.reveal(), expiresAt }));
      return;
    }
    context.print(`user      ${user}`);
    context.print(`password  ${password.reveal()}`);
    const ends = expiresAt === undefined ? "it does not expire" : `it expires at ${expiresAt}`;
    context.note(`dewy: ${ends}; a shell wants the name in quotes: docker login -u '${user}' HOST`);
  },
});

export const tokenList = command({
  operands: "[config.yml]",
  completes: "file",
  flags: { json },
  epilogue: configHelp,
  input: v.strictObject({
    json: v.optional(v.boolean(), false),
    operands: v.pipe(v.array(v.string()), v.maxLength(1, "give one config file at the most")),
  }),

  async run({ json, operands: [file] }, context) {
    const { robots, problems } = await misuse((await tokensOf(file, context)).list());
    for (const { file, reason } of problems)
      context.note(`dewy: ${file} is passed over: ${reason}`);
    const lines = json ? [JSON.stringify(robots)] : robotTable(robots, context.clock.now());
    for (const line of lines) context.print(line);
  },
});

export const tokenRevoke = command({
  operands: "[words...]",
  usage: "[options] NAME [config.yml]",
  completes: "file",
  flags: {},
  epilogue: configHelp,
  input: v.strictObject({
    operands: v.pipe(
      v.array(v.string()),
      v.minLength(1, "name the robot; dewy registry token list shows them"),
      v.maxLength(2, "give a name and one config file at the most"),
    ),
  }),

  async run({ operands: [name = "", file] }, context) {
    const user = await misuse((await tokensOf(file, context)).revoke(name));
    context.note(`dewy: ${user} is revoked`);
  },
});

async function tokensOf(file: string | undefined, context: CommandContext): Promise<RobotTokens> {
  const { auth } = await registryConfigOf(file, context);
  const placed = (path: string | undefined) =>
    path === undefined ? undefined : resolve(context.directory, path);
  const htpasswd = placed(auth?.htpasswd?.path);
  const own = placed(auth?.robots?.path);
  if (htpasswd === undefined && own === undefined) {
    throw new ConfigError("this registry has no place for robots", {
      hint: "name its config.yml, and set auth.htpasswd in it, or auth.robots.path",
    });
  }
  return robotTokensIn(robotPathsOf(own, htpasswd ?? ""), { htpasswd, clock: context.clock });
}

/** What is wrong is what was asked for: a name, or the place that the configuration names. */
async function misuse<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof DewyError ? asConfigError(error) : error;
  }
}
