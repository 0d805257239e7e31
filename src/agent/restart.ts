import { type Call, isEchoOf } from "../base/call.ts";
import type { Logger } from "../base/logger.ts";
import type { InTurn } from "../base/turns.ts";
import type { RunningMode } from "./modes/mode.ts";

/** What starts the same release again, when its turn has come. */
export function restartOf(
  mode: RunningMode,
  alone: InTurn,
  logger: Logger,
  call: Call,
): () => void {
  return once(alone, () => restarted(mode, logger, call));
}

/** Asked several times before its turn has come, the work is done once. */
function once(alone: InTurn, work: () => Promise<void>): () => void {
  let isAsked = false;
  return () => {
    if (isAsked) return;
    isAsked = true;
    void alone(() => {
      isAsked = false;
      return work();
    });
  };
}

async function restarted(mode: RunningMode, logger: Logger, call: Call): Promise<void> {
  try {
    await mode.restart(call);
  } catch (error) {
    if (isEchoOf(call.signal, error)) return;
    logger.error("the app could not be restarted, and runs on as it was", { error });
  }
}
