import { type Call, isEchoOf } from "../../base/call.ts";
import type { Logger } from "../../base/logger.ts";

/** What goes on behind whoever began it. */
export interface Background {
  /** What fails is logged, unless the call is over. */
  goOn(work: Promise<unknown>): void;
  /** Resolves when all of it has ended. */
  ended(): Promise<void>;
}

export function openBackground({ logger }: { logger: Logger }, call: Call): Background {
  const all = new Set<Promise<unknown>>();
  return {
    goOn(work) {
      const ended = work
        .catch((error) => {
          if (!isEchoOf(call.signal, error))
            logger.error("Replicas: what went on failed", { error });
        })
        .finally(() => all.delete(ended));
      all.add(ended);
    },

    async ended() {
      await Promise.allSettled(all);
    },
  };
}
