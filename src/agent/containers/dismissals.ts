import * as v from "valibot";
import { removeDrafts, writeFileWhole } from "../../base/atomic-file.ts";
import { messageOf } from "../../base/errors.ts";
import { readKept } from "../../base/kept-json.ts";
import type { Logger } from "../../base/logger.ts";
import { openTurns } from "../../base/turns.ts";

/**
 * Containers that were told to end, by their ids. The engine does what it was told when it comes to
 * it, up to its grace period later, even when the agent that told it is dead: until one has ended,
 * nobody is to count on it.
 */
export interface Dismissals {
  has(id: string): boolean;
  /** To be called before it is told. Resolves when that is on the disk, or could not be written. */
  note(id: string): Promise<void>;
  /** It has ended. */
  forget(id: string): Promise<void>;
  /** Forgets those that are not among `ids`, which are all there are. */
  keep(ids: readonly string[]): Promise<void>;
}

const State = v.object({ version: v.literal(1), ids: v.array(v.string()) });

/** Those that are kept at `path`, for the next agent. */
export async function openDismissals(
  path: string,
  { logger }: { logger: Logger },
): Promise<Dismissals> {
  await removeDrafts(path);
  const inOrder = openTurns();
  const trouble = "Which containers were told to end cannot be read";
  const before = await readKept(State, path, { trouble, logger });
  const dismissed = new Set(before?.ids);
  return {
    has: (id) => dismissed.has(id),

    async note(id) {
      if (dismissed.has(id)) return;
      dismissed.add(id);
      await save();
    },

    async forget(id) {
      if (dismissed.delete(id)) await save();
    },

    async keep(ids) {
      const gone = [...dismissed].filter((id) => !ids.includes(id));
      for (const id of gone) dismissed.delete(id);
      if (gone.length > 0) await save();
    },
  };

  /** A full disk keeps nobody from ending. */
  async function save(): Promise<void> {
    try {
      await inOrder(() => writeFileWhole(path, text()));
    } catch (error) {
      logger.warn("Which containers are told to end could not be kept", {
        ...{ path, error: messageOf(error) },
      });
    }
  }

  function text(): string {
    return `${JSON.stringify({ version: 1, ids: [...dismissed] })}\n`;
  }
}
