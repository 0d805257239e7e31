import { createHash, randomUUID } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { removeDrafts, removeOld } from "./atomic-file.ts";
import type { Call } from "./call.ts";
import { ConfigError, systemCodeOf } from "./errors.ts";
import { makeDirectory } from "./make-directory.ts";
import { identityOf } from "./process-identity.ts";

const Holder = v.object({ pid: v.number(), identity: v.string(), token: v.string() });
type Holder = v.InferOutput<typeof Holder>;

/** What was found in a lock file, or `gone`; a `holder` only when it is a process that runs. */
type Found = "gone" | { content: string; holder: Holder | undefined };

const attempts = 200;
const pauseMs = 25;
const deepestClaim = 4;
const claimPrefix = "claim-";

export interface Lock {
  /** Whether the file is ours; not when the disk had no room for it. */
  readonly held: boolean;
  /** Lets the next one in. */
  close(): Promise<void>;
}

/**
 * Makes this process the only one that looks after `root`, by the file `lockPath`.
 *
 * The file names its holder by process id and start, so the lock of a process that was killed is
 * known to be stale even when its id is in use again. It is replaced by whoever holds the claim on
 * exactly that content (a lock of the same kind, named after it), hence by one only, however many
 * start at once. Processes that do not see each other (two containers on one volume) are not told
 * apart from dead ones.
 *
 * On a full disk a living holder still keeps everybody out; without one this goes on unlocked, as
 * two that start at that very moment are less likely than an app that nobody starts.
 *
 * @throws {ConfigError} when another process holds it
 */
export async function openLock(lockPath: string, root: string, call: Call): Promise<Lock> {
  await makeDirectory(dirname(lockPath), 0o700);
  const content = await ownContent();
  let held = true;
  const holder = await acquire(lockPath, content, 0, call).catch(async (error) => {
    if (!["ENOSPC", "EDQUOT"].includes(systemCodeOf(error) ?? "")) throw error;
    held = false;
    const found = await read(lockPath);
    return found === "gone" ? undefined : found.holder;
  });
  if (holder) {
    throw new ConfigError(`another dewy (pid ${holder.pid}) looks after ${root}`, {
      hint: "stop that one first, or give this one a directory of its own",
    });
  }
  await removeDrafts(lockPath);
  await removeOld(dirname(lockPath), (name) => name.startsWith(claimPrefix));
  return { held, close: () => release(lockPath, content) };
}

/** Resolves to `undefined` once `path` holds `content`, else to the process that keeps it. */
async function acquire(
  path: string,
  content: string,
  depth: number,
  call: Call,
): Promise<Holder | undefined> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    if (await place(path, content)) return undefined;
    const found = await read(path);
    if (found === "gone") continue;
    if (found.holder) return found.holder;
    if (await replaceStale(path, found.content, content, depth, call)) return undefined;
    await sleep(pauseMs, undefined, { signal: call.signal });
  }
  throw new ConfigError(`${path} could not be taken over: others keep trying to`, {
    hint: "see that nothing starts dewy over and over for this directory, then start it once",
  });
}

/** Puts `content` in the place of `stale`, unless another has been there first. */
export async function replaceStale(
  path: string,
  stale: string,
  content: string,
  depth: number,
  call: Call,
): Promise<boolean> {
  if (depth === deepestClaim) return false;
  const name = createHash("sha256").update(stale).digest("hex").slice(0, 16);
  const claim = join(dirname(path), `${claimPrefix}${name}`);
  if (await acquire(claim, content, depth + 1, call)) return false;
  try {
    const found = await read(path);
    if (found === "gone" || found.content !== stale) return false;
    const draft = await writeDraft(path, content);
    await rename(draft, path);
    return true;
  } finally {
    await release(claim, content);
  }
}

/** Creates `path` with its whole content, unless there is one already. */
async function place(path: string, content: string): Promise<boolean> {
  const draft = await writeDraft(path, content);
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function writeDraft(path: string, content: string): Promise<string> {
  const draft = `${path}.${randomUUID()}.tmp`;
  await writeFile(draft, content, { flush: true, mode: 0o600, flag: "wx" });
  return draft;
}

async function release(path: string, content: string): Promise<void> {
  const found = await read(path);
  if (found !== "gone" && found.content === content) await rm(path, { force: true });
}

async function read(path: string): Promise<Found> {
  try {
    const content = await readFile(path, "utf8");
    const holder = parseHolder(content);
    const runs = holder !== undefined && (await identityOf(holder.pid)) === holder.identity;
    return { content, holder: runs ? holder : undefined };
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return "gone";
    throw error;
  }
}

/** A file that power failure left empty names nobody, and is as good as stale. */
function parseHolder(content: string): Holder | undefined {
  try {
    return v.parse(Holder, JSON.parse(content));
  } catch {
    return undefined;
  }
}

async function ownContent(): Promise<string> {
  const identity = await identityOf(process.pid);
  return JSON.stringify({ pid: process.pid, identity: identity ?? "", token: randomUUID() });
}
