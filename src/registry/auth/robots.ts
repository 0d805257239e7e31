import { timingSafeEqual } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { type AccessRule, accessRulesOf } from "./access-rules.ts";
import { type Account, type Accounts, refused } from "./accounts.ts";
import { AuthError } from "./authenticator.ts";
import type { AccountParts } from "./htpasswd.ts";
import { rereadFile } from "./reread-file.ts";
import { hashOf, type Robot, RobotError, readRobots, robotPrefix } from "./robot-files.ts";
import { openRobotUses } from "./robot-uses.ts";

/** Where robots and what belongs to them are. */
export interface RobotPaths {
  directory: string;
  /** When each was last here. */
  uses: string;
}

export function robotPathsOf(path: string | undefined, htpasswd: string): RobotPaths {
  const directory = path ?? `${htpasswd}.robots`;
  return { directory, uses: `${directory.replace(/\/+$/, "")}.uses.json` };
}

export interface RobotParts extends Omit<AccountParts, "rules"> {
  /** What is open to all is open to robots, too. */
  anonymousRules: readonly AccessRule[];
}

/**
 * Those that `dewy registry token create` has made. They come and go while the server runs.
 *
 * @throws {AuthError} `UNAVAILABLE`
 */
export async function openRobots(
  { directory, uses: usesPath }: RobotPaths,
  parts: RobotParts,
): Promise<Accounts> {
  const { clock, logger, limit } = parts;
  const file = rereadFile([directory], () => readAccounts(directory, parts), clock);
  await file.current();
  const uses = openRobotUses(usesPath, { clock, logger });

  return {
    isFor: async ({ user }) => isRobot(user),

    async logIn({ user, password }, address) {
      const attempt = { address, user };
      limit.check(attempt);
      // Made or revoked a moment ago, by a script that does not wait.
      const { hashes, accounts } = await file.fresh();
      const name = nameOf(user);
      const shown = Buffer.from(hashOf(password), "hex");
      const hash = Buffer.from(hashes.get(name) ?? nobodysHash, "hex");
      const account = timingSafeEqual(shown, hash) ? accounts.get(name) : undefined;
      const isRight = account !== undefined && isAlive(account, clock);
      if (await limit.counted(attempt, async () => isRight)) {
        uses.note(name, (other) => accounts.has(other));
        if (account !== undefined) return account;
      }
      const reason = account === undefined ? {} : { reason: "the robot's time is over" };
      logger.warn("login failed", { ...attempt, ...reason });
      throw refused();
    },

    async find({ user }) {
      if (!isRobot(user)) return undefined;
      const account = (await file.current()).accounts.get(nameOf(user));
      return account !== undefined && isAlive(account, clock) ? account : undefined;
    },

    close: () => uses.close(),
  };
}

async function readAccounts(
  directory: string,
  { logger, anonymousRules }: Pick<RobotParts, "logger" | "anonymousRules">,
) {
  try {
    const { robots, problems } = await readRobots(directory);
    for (const { file, reason } of problems) {
      logger.warn("the file of a robot was passed over", { directory, file, reason });
    }
    const all = [...robots.values()];
    return {
      hashes: new Map(all.map(({ name, hash }) => [name, hash])),
      accounts: new Map(all.map((robot) => [robot.name, accountOf(robot, anonymousRules)])),
    };
  } catch (error) {
    if (!(error instanceof RobotError)) throw error;
    const { message, hint } = error;
    throw new AuthError("UNAVAILABLE", message, { cause: error, hint });
  }
}

function isAlive({ expiresAtMs = Number.POSITIVE_INFINITY }: Account, clock: Clock): boolean {
  return clock.now().getTime() < expiresAtMs;
}

function accountOf(
  { name, repositories, actions, expiresAt, hash }: Robot,
  anonymousRules: readonly AccessRule[],
): Account {
  const user = `${robotPrefix}${name}`;
  const own = repositories.map((repository) => {
    return { repository, actions, users: [user], groups: [], anonymous: false };
  });
  const grant = accessRulesOf([...own, ...anonymousRules]).grantTo({ user });
  const end = expiresAt === undefined ? {} : { expiresAtMs: Date.parse(expiresAt) };
  return { user, grant, credential: hash.slice(0, 22), ...end };
}

const nobodysHash = "0".repeat(64);

const isRobot = (user: string): boolean => user.startsWith(robotPrefix);

const nameOf = (user: string): string => user.slice(robotPrefix.length);
