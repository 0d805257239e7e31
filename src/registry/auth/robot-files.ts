import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { createFileWhole, giveTo, syncDirectory } from "../../base/atomic-file.ts";
import { DewyError, messageOf, systemCodeOf } from "../../base/errors.ts";
import { Secret } from "../../base/secret.ts";
import { readSettingsFile } from "../../base/settings-file.ts";
import { RepositoryGlob } from "../repository-glob.ts";
import { RuleAction } from "./access-rules.ts";

/** What no user of an htpasswd file should be called like. */
export const robotPrefix = "robot$";

const namePattern = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const Time = v.pipe(v.string(), v.isoTimestamp());

const RobotRecord = v.strictObject({
  name: v.pipe(v.string(), v.regex(namePattern)),
  repositories: v.pipe(v.array(RepositoryGlob), v.minLength(1)),
  actions: v.pipe(v.array(RuleAction), v.minLength(1)),
  /** SHA-256 in hexadecimal. The password is random and long: a slow hash would protect nothing. */
  hash: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  createdAt: Time,
  expiresAt: v.optional(Time),
});

/** A machine with a password of its own, for some repositories. Times are in ISO 8601. */
export type Robot = v.InferOutput<typeof RobotRecord>;

export class RobotError extends DewyError<
  "INVALID_NAME" | "EXISTS" | "NOT_FOUND" | "UNAVAILABLE"
> {}

export interface RobotDirectory {
  robots: ReadonlyMap<string, Robot>;
  /** Files that were passed over. */
  problems: readonly { file: string; reason: string }[];
}

const maximumFileBytes = 65_536;

/**
 * All the robots of a directory that has a file for each, so that they come and go one by one
 * whoever else works on it. No directory is no robots.
 *
 * @throws {RobotError} `UNAVAILABLE`
 */
export async function readRobots(directory: string): Promise<RobotDirectory> {
  const robots = new Map<string, Robot>();
  const problems: { file: string; reason: string }[] = [];
  for (const file of await filesIn(directory)) {
    try {
      const robot = await readRobot(join(directory, file));
      if (`${robot.name}.json` !== file) throw new Error(`it is the file of ${robot.name}`);
      robots.set(robot.name, robot);
    } catch (error) {
      if (systemCodeOf(error) === "ENOENT") continue; // revoked a moment ago
      problems.push({ file, reason: messageOf(error) });
    }
  }
  return { robots, problems };
}

async function filesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => name.endsWith(".json")).sort();
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return [];
    throw unavailable(directory, "read", error);
  }
}

/** Says nothing of what is in the file. */
async function readRobot(path: string): Promise<Robot> {
  const { size } = await stat(path);
  if (size > maximumFileBytes) throw new Error(`it has ${size} bytes`);
  const text = (await readSettingsFile(path)).toString();
  const result = v.safeParse(RobotRecord, parsedOr(text));
  if (!result.success) throw new Error("it is not the record of a robot");
  return result.output;
}

function parsedOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A password that nobody can guess, and that a search for leaked secrets can recognize. */
export function newPassword(): Secret {
  return new Secret(`dewy_robot_${randomBytes(32).toString("base64url")}`);
}

export function hashOf(password: Secret): string {
  return createHash("sha256").update(password.reveal()).digest("hex");
}

/**
 * Adds a robot that is known to every server on that directory within a second.
 *
 * `like` is a file that those servers read: the new one can be read by the same users. Without it,
 * by the owner of the place.
 *
 * @throws {RobotError} `INVALID_NAME`, `EXISTS`, `UNAVAILABLE`
 */
export async function createRobot(
  directory: string,
  robot: Robot,
  like: string | undefined,
): Promise<void> {
  if (!namePattern.test(robot.name)) throw invalidName(robot.name);
  const text = `${JSON.stringify(v.parse(RobotRecord, robot), undefined, 2)}\n`;
  const isNew = await created(directory, { name: robot.name, text, like });
  if (isNew) return;
  throw new RobotError("EXISTS", `there is a robot ${robot.name} already`, {
    hint: "revoke it first, or choose another --name",
  });
}

async function created(
  directory: string,
  { name, text, like }: { name: string; text: string; like: string | undefined },
): Promise<boolean> {
  try {
    const { uid, gid, mode } = await ownerOf(like, directory);
    if (await mkdir(directory, { recursive: true })) {
      // Who may read the files may look for them, too.
      await giveTo(directory, { uid, gid, mode: mode | ((mode & 0o444) >> 2) | 0o700 });
    }
    return await createFileWhole(join(directory, `${name}.json`), text, {
      mode: mode | 0o600,
      owner: { uid, gid },
    });
  } catch (error) {
    throw unavailable(directory, "written", error);
  }
}

/** Before there is an htpasswd file, what its directory says, for its owner alone. */
async function ownerOf(like: string | undefined, directory: string) {
  try {
    if (like !== undefined) {
      const { uid, gid, mode } = await stat(like);
      return { uid, gid, mode: mode & 0o666 };
    }
  } catch (error) {
    if (systemCodeOf(error) !== "ENOENT") throw error;
  }
  const { uid, gid } = await stat(dirname(directory));
  return { uid, gid, mode: 0o600 };
}

/** @throws {RobotError} `NOT_FOUND`, `UNAVAILABLE` */
export async function removeRobot(directory: string, name: string): Promise<void> {
  if (!namePattern.test(name)) throw invalidName(name);
  try {
    await rm(join(directory, `${name}.json`));
    await syncDirectory(directory);
  } catch (error) {
    if (systemCodeOf(error) !== "ENOENT") throw unavailable(directory, "written", error);
    const hint = "dewy registry token list shows those there are";
    throw new RobotError("NOT_FOUND", `there is no robot ${name}`, { hint });
  }
}

function invalidName(name: string): RobotError {
  return new RobotError("INVALID_NAME", `not a name of a robot: ${name || "(nothing)"}`, {
    hint: "use up to 64 lower-case letters, digits, and . _ - after the first",
  });
}

function unavailable(directory: string, verb: string, cause: unknown): RobotError {
  const message = `the robots in ${directory} cannot be ${verb}: ${messageOf(cause)}`;
  const hint = "let the user that the registry runs as have it, and call this as that user or root";
  return new RobotError("UNAVAILABLE", message, { cause, hint });
}
