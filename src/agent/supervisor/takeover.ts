import type { Call } from "../../base/call.ts";
import { systemClock } from "../../base/clock.ts";
import { type Listeners, openListeners } from "./listeners.ts";
import { endOrphans, type Orphans, type OrphansOptions } from "./orphans.ts";
import { SupervisorError } from "./supervisor-error.ts";

interface Takeover {
  listeners: Listeners;
  /**
   * Ends the workers of the earlier agent, once. Where the ports had to be opened that has begun. Where
   * the sockets have outlived the agent they serve on, and should until a new one does.
   */
  endPredecessors(): Promise<Orphans>;
}

interface TakeoverOptions extends OrphansOptions {
  ports: readonly number[];
  listen?: ((ports: readonly number[], call: Call) => Promise<Listeners>) | undefined;
}

const retryMs = 100;

/** What an agent that was killed while it started has begun takes a moment to notice. */
const startingLimitMs = 3_000;

/**
 * Opens the ports, after an earlier agent on this directory may have been killed or has left its app
 * to this one: ends the workers there are, unless they are in nobody's way, and waits for a port that
 * is in use only as long as one of them may still hold it.
 *
 * @throws {SupervisorError} `PORT_IN_USE`, `PORT_FORBIDDEN`, `LISTEN_FAILED`
 */
export async function takeOver(
  { ports, listen = openListeners, ...options }: TakeoverOptions,
  call: Call,
): Promise<Takeover> {
  const { logger, clock = systemClock } = options;
  const { workers } = options.record;
  let ending: Promise<Orphans> | undefined;
  const endPredecessors = () => {
    ending ??= endOrphans(options, call, workers);
    return ending;
  };
  let waitedMs = 0;
  for (;;) {
    try {
      const listeners = await listen(ports, call);
      if (!listeners.outlive) await endPredecessors();
      return { listeners, endPredecessors };
    } catch (error) {
      const orphans = await endPredecessors();
      const mayWait = orphans.alive.length > 0 || waitedMs < startingLimitMs;
      if (!mayWait || !isPortInUse(error)) throw error;
      if (waitedMs === 0) {
        logger.warn("Waiting for a port that an earlier run may hold", { error });
      }
    }
    await clock.sleep(retryMs, call);
    waitedMs += retryMs;
  }
}

function isPortInUse(error: unknown): boolean {
  return error instanceof SupervisorError && error.code === "PORT_IN_USE";
}
