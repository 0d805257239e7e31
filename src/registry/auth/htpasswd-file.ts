import { randomBytes } from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { createFileWhole } from "../../base/atomic-file.ts";
import type { Call } from "../../base/call.ts";
import { messageOf, systemCodeOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { checkMayWrite } from "../../base/may-write.ts";
import { readSettingsFile } from "../../base/settings-file.ts";
import { AuthError } from "./authenticator.ts";
import type { Bcrypt } from "./bcrypt.ts";

/** The users of an htpasswd file: bcrypt only, as with Distribution. */
export interface PasswordFile {
  hashOf(user: string): string | undefined;
  /** The cost of the slowest hash, so that a user who does not exist can take as long. */
  cost: number;
  /** Lines that were passed over, counted from 1. */
  problems: readonly { line: number; reason: string }[];
}

const bcryptHash = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
const lowestCost = 4;
/** 5 s for each login already; at 31 it would be two days. */
const highestCost = 16;
const ordinaryCost = 10;
const maximumFileBytes = 16 * 1024 * 1024;

export function parsePasswordFile(text: string): PasswordFile {
  const hashes = new Map<string, string>();
  const problems: { line: number; reason: string }[] = [];
  let cost = 0;
  for (const [index, whole] of text.split("\n").entries()) {
    const line = whole.trim();
    if (line === "" || line.startsWith("#")) continue;
    const colon = line.indexOf(":");
    const hash = line.slice(colon + 1);
    const reason = colon < 1 ? "is not user:hash" : problemOf(hash);
    if (reason === undefined) {
      hashes.set(line.slice(0, colon), hash);
      cost = Math.max(cost, costOf(hash));
    } else problems.push({ line: index + 1, reason });
  }
  return { hashOf: (user) => hashes.get(user), cost: cost || ordinaryCost, problems };
}

/** Never quotes the hash. */
function problemOf(hash: string): string | undefined {
  if (!bcryptHash.test(hash)) {
    return "has a hash that is not bcrypt ($2a$, $2b$ or $2y$): write it with htpasswd -B";
  }
  const cost = costOf(hash);
  if (cost >= lowestCost && cost <= highestCost) return undefined;
  return `has a bcrypt hash of cost ${cost}: use ${lowestCost} to ${highestCost}`;
}

const costOf = (hash: string): number => Number(bcryptHash.exec(hash)?.[1] ?? 0);

/** A hash that belongs to no password, and takes as long to compare with as any of that cost. */
export function nobodysHash(cost: number): string {
  return `$2b$${String(cost).padStart(2, "0")}$${"abcdefghijklmnopqrstuu"}${".".repeat(31)}`;
}

/** @throws {AuthError} `UNAVAILABLE` */
export async function readPasswordFile(path: string): Promise<PasswordFile> {
  try {
    const { size } = await stat(path);
    if (size > maximumFileBytes) throw new Error(`it has ${size} bytes`);
    return parsePasswordFile((await readSettingsFile(path)).toString());
  } catch (error) {
    const message = `the htpasswd file ${path} cannot be read: ${messageOf(error)}`;
    const hint = "put it back, readable for the registry; nobody can log in until then";
    throw new AuthError("UNAVAILABLE", message, { cause: error, hint });
  }
}

/**
 * Where there is no file yet, makes one with the user `docker` and a password that is said once, in
 * the log, as Distribution does. Nobody but the registry's own user can read it.
 */
export async function createPasswordFile(
  path: string,
  { bcrypt, logger }: { bcrypt: Bcrypt; logger: Logger },
  call: Call,
): Promise<void> {
  if (await isThere(path)) return;
  const password = randomBytes(32).toString("base64url");
  const hash = await bcrypt.hash(password, ordinaryCost, call);
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    // Somebody else may be faster: their file counts then, and their password.
    if (!(await createFileWhole(path, `docker:${hash}\n`, { mode: 0o600 }))) return;
  } catch (error) {
    throw cannotBeMade(path, error);
  }
  // Only now: a password that nobody can use has no business in a log.
  logger.warn("htpasswd is missing, provisioning with default user", {
    path,
    user: "docker",
    password,
    hint: "log in with it, replace it with htpasswd -B, and remove this line from the log",
  });
}

/**
 * Its problems, or whether it could be made.
 *
 * @throws {AuthError} `UNAVAILABLE`
 */
export async function checkPasswordFile(path: string): Promise<PasswordFile["problems"]> {
  if (await isThere(path)) return (await readPasswordFile(path)).problems;
  await checkMayWrite(dirname(path)).catch((error: unknown) => {
    throw cannotBeMade(path, error);
  });
  return [];
}

function cannotBeMade(path: string, error: unknown): AuthError {
  const message = `the htpasswd file ${path} is missing, and cannot be made: ${messageOf(error)}`;
  const hint = "make it with htpasswd -B, or let the registry write to its directory";
  return new AuthError("UNAVAILABLE", message, { cause: error, hint });
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return false;
    const message = `the htpasswd file ${path} cannot be read: ${messageOf(error)}`;
    const hint = "make it readable for the user that the registry runs as";
    throw new AuthError("UNAVAILABLE", message, { cause: error, hint });
  }
}
