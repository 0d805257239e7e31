import { randomInt } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { Secret } from "../../base/secret.ts";
import {
  createRobot,
  hashOf,
  newPassword,
  type Robot,
  readRobots,
  removeRobot,
  robotPrefix,
} from "./robot-files.ts";
import { readUses } from "./robot-uses.ts";
import type { RobotPaths } from "./robots.ts";

export interface RobotWish extends Pick<Robot, "repositories" | "actions"> {
  /** `Infinity` for one that never ends. */
  expiresInMs: number;
  /** Made up where it is not given. */
  name: string | undefined;
}

/** The only time that the password is seen. */
export interface CreatedRobot {
  /** What it logs in as. */
  user: string;
  password: Secret;
  expiresAt: string | undefined;
}

export type ListedRobot = Omit<Robot, "hash"> & {
  user: string;
  /** Roughly, in ISO 8601; nothing when it never came, or nobody has kept it. */
  lastUseAt?: string;
};

/** Robots as an administrator sees them, whether a server runs or not. Throws `RobotError`. */
export interface RobotTokens {
  create(wish: RobotWish): Promise<CreatedRobot>;
  list(): Promise<{
    robots: readonly ListedRobot[];
    problems: readonly { file: string; reason: string }[];
  }>;
  /** By its name, or by what it logs in as; resolves to the latter. */
  revoke(name: string): Promise<string>;
}

export function robotTokensIn(
  { directory, uses }: RobotPaths,
  { htpasswd, clock }: { htpasswd: string | undefined; clock: Clock },
): RobotTokens {
  return {
    async create({ repositories, actions, expiresInMs, name = madeUpName() }) {
      const password = newPassword();
      const now = clock.now().getTime();
      const expiresAt =
        expiresInMs === Number.POSITIVE_INFINITY ? undefined : timeOf(now + expiresInMs);
      const plain = plainName(name);
      const robot = {
        ...{ name: plain, repositories, actions, hash: hashOf(password), createdAt: timeOf(now) },
        ...(expiresAt === undefined ? {} : { expiresAt }),
      };
      await createRobot(directory, robot, htpasswd);
      return { user: `${robotPrefix}${plain}`, password, expiresAt };
    },

    async list() {
      const { robots, problems } = await readRobots(directory);
      const lastUses = await readUses(uses);
      const listed = [...robots.values()].map(({ hash: _hash, ...robot }) => {
        const lastUseAt = lastUses.get(robot.name);
        // A namesake that was revoked is somebody else.
        const isOwn = lastUseAt !== undefined && lastUseAt >= robot.createdAt;
        const user = `${robotPrefix}${robot.name}`;
        return { user, ...robot, ...(isOwn ? { lastUseAt } : {}) };
      });
      return { robots: listed, problems };
    },

    async revoke(name) {
      const plain = plainName(name);
      await removeRobot(directory, plain);
      return `${robotPrefix}${plain}`;
    },
  };
}

const plainName = (name: string): string =>
  name.startsWith(robotPrefix) ? name.slice(robotPrefix.length) : name;

const timeOf = (ms: number): string => new Date(ms).toISOString();

function madeUpName(): string {
  return `r${randomInt(2 ** 40)
    .toString(36)
    .padStart(8, "0")}`;
}
