import * as v from "valibot";
import { writeFileWhole } from "../../base/atomic-file.ts";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { readSettingsFile } from "../../base/settings-file.ts";

/** Roughly, so that a robot that pulls a thousand layers costs one write. */
const writeEveryMs = 60_000;

const Uses = v.record(v.string(), v.pipe(v.string(), v.isoTimestamp()));

/** When each robot last logged in, in ISO 8601; nothing where that is not known. */
export async function readUses(path: string): Promise<Map<string, string>> {
  try {
    return new Map(
      Object.entries(v.parse(Uses, JSON.parse((await readSettingsFile(path)).toString()))),
    );
  } catch {
    return new Map(); // nobody has come yet, or it is lost: no robot depends on it
  }
}

export interface RobotUses {
  /** That the robot was here; `isKnown` tells which of the others there still are. */
  note(name: string, isKnown: (name: string) => boolean): void;
  /** Writes down what is not yet. */
  close(): Promise<void>;
}

/** Keeps the last uses in a file that several servers may write to. */
export function openRobotUses(
  path: string,
  { clock, logger }: { clock: Clock; logger: Logger },
): RobotUses {
  const fresh = new Map<string, string>();
  let isKnownNow = (_name: string) => true;
  let writtenAtMs = Number.NEGATIVE_INFINITY;
  let underWay: Promise<void> = Promise.resolve();
  let hasWarned = false;

  return {
    note(name, isKnown) {
      const now = clock.now();
      fresh.set(name, now.toISOString());
      isKnownNow = isKnown;
      if (Math.abs(now.getTime() - writtenAtMs) < writeEveryMs) return;
      writtenAtMs = now.getTime();
      underWay = underWay.then(write);
    },

    async close() {
      await underWay;
      if (fresh.size > 0) await write();
    },
  };

  async function write(): Promise<void> {
    const noted = new Map(fresh);
    fresh.clear();
    try {
      const all = await readUses(path);
      for (const [name, at] of noted) if ((all.get(name) ?? "") < at) all.set(name, at);
      const kept = [...all].filter(([name]) => isKnownNow(name));
      const text = JSON.stringify(Object.fromEntries(kept), undefined, 2);
      await writeFileWhole(path, `${text}\n`, { mode: 0o600 });
    } catch (error) {
      if (!hasWarned) {
        logger.warn("the last use of robots is not kept", { path, reason: messageOf(error) });
      }
      hasWarned = true;
    }
  }
}
