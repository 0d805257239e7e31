import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import * as v from "valibot";
import { syncDirectory, writeFileWhole } from "../../base/atomic-file.ts";
import { readKept } from "../../base/kept-json.ts";
import type { Logger } from "../../base/logger.ts";

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
  const trouble = "The journal of the group cannot be read";
  const decision = await readKept(Decision, path, { trouble, logger });
  return decision?.directories.includes(directory) ?? false;
}
