import { lstatSync, opendirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import type { Call } from "../../base/call.ts";
import { type BreakOptions, Breaks } from "./breaks.ts";
import { ifThere, isListed, removeEmpty } from "./file-steps.ts";

export interface StaleDraftOptions {
  /** Those that were written to since then stay: somebody may be about to put them in their places. */
  beforeMs: number;
  dryRun: boolean;
}

/** A volume may have directories of others beside these. */
const roots = ["docker/registry/v2", "dewy"];

/**
 * Deletes the drafts that whoever was killed has left, and the directories that nothing else is in.
 * Resolves to how many there were. Looks into every directory, on a thread that may be blocked.
 */
export async function discardStaleDrafts(
  directory: string,
  { beforeMs, dryRun, breaks }: StaleDraftOptions & { breaks: BreakOptions },
  { signal }: Call,
): Promise<number> {
  const rest = new Breaks(breaks);
  let found = 0;
  for (const root of roots) await isEmptied(join(directory, root));
  return found;

  /** Whether it is gone with what was in it. */
  async function isEmptied(place: string): Promise<boolean> {
    const opened = ifThere(() => opendirSync(place, { bufferSize: 64 }));
    if (opened === undefined) return false;
    let isLess = false;
    try {
      for (let entry = opened.readSync(); entry !== null; entry = opened.readSync()) {
        await rest.whenDue();
        signal.throwIfAborted();
        const path = join(place, entry.name);
        const isGone = entry.isDirectory() ? await isEmptied(path) : isDiscarded(entry.name, path);
        isLess ||= isGone;
      }
    } finally {
      opened.closeSync();
    }
    return isLess && removeEmpty(place);
  }

  function isDiscarded(name: string, path: string): boolean {
    if (isListed(name)) return false;
    const file = ifThere(() => lstatSync(path));
    if (!file?.isFile() || file.mtimeMs >= beforeMs) return false;
    found++;
    if (!dryRun) ifThere(() => unlinkSync(path));
    return !dryRun;
  }
}
