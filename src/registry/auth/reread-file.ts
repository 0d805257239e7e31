import type { Clock } from "../../base/clock.ts";
import { stampOf } from "../file-stamp.ts";

/** What is in some files, read again when they change. */
export interface RereadFile<Content> {
  /** Rejects as long as the files cannot be read: what they said before may have been revoked. */
  current(): Promise<Content>;
  /** The same, looked at now: what was written before the call is seen. */
  fresh(): Promise<Content>;
}

const checkEveryMs = 1_000;

export function rereadFile<Content>(
  paths: readonly string[],
  read: () => Promise<Content>,
  clock: Clock,
): RereadFile<Content> {
  let known: { content: Content; stamp: string } | undefined;
  let checkedAtMs = Number.NEGATIVE_INFINITY;
  let underWay: Promise<Content> | undefined;

  return {
    async current() {
      const nowMs = clock.now().getTime();
      if (known && Math.abs(nowMs - checkedAtMs) < checkEveryMs) return known.content;
      return await (underWay ?? begun());
    },

    async fresh() {
      await underWay?.catch(() => {}); // it may have looked before
      return await (underWay ?? begun());
    },
  };

  async function begun(): Promise<Content> {
    underWay = refreshed(clock.now().getTime()).finally(() => {
      underWay = undefined;
    });
    return await underWay;
  }

  async function refreshed(nowMs: number): Promise<Content> {
    // Before the content: what is written in between then has another stamp the next time.
    const stamp = await stampOf(paths);
    if (known?.stamp !== stamp) {
      known = undefined;
      known = { content: await read(), stamp };
    }
    checkedAtMs = nowMs;
    return known.content;
  }
}
