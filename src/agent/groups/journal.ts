import { readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";
import * as v from "valibot";
import { syncDirectory, writeFileWhole } from "../../base/atomic-file.ts";
import { systemCodeOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { parse } from "../../base/schema.ts";

const Decision = v.object({
  version: v.literal(1),
  group: v.string(),
  tag: v.string(),
  at: v.pipe(v.string(), v.isoTimestamp()),
  /** Of the releases, one of each app that moves. */
  directories: v.array(v.string()),
});

/** That every app of a group has proved itself, and the move stands. */
export type GroupDecision = v.InferOutput<typeof Decision>;

/** Once this has resolved, the move stands, whoever is killed. */
export async function writeDecision(path: string, decision: GroupDecision): Promise<void> {
  await writeFileWhole(path, `${JSON.stringify(decision, undefined, 2)}\n`, { mode: 0o600 });
}

export async function revokeDecision(path: string): Promise<void> {
  await rm(path, { force: true });
  await syncDirectory(dirname(path));
}

/** Whether the move that made the release in `directory` stands. What cannot be read was never decided. */
export async function isDecided(path: string, directory: string, logger: Logger): Promise<boolean> {
  try {
    const { directories } = parse(Decision, JSON.parse(await readFile(path, "utf8")));
    return directories.includes(directory);
  } catch (error) {
    if (systemCodeOf(error) !== "ENOENT") {
      logger.warn("The journal of the group cannot be read", { path, error });
    }
    return false;
  }
}
