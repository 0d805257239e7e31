import type { Call } from "../../base/call.ts";
import { systemClock } from "../../base/clock.ts";
import { type Listeners, openListeners } from "./listeners.ts";
import { endOrphans, type Orphans, type OrphansOptions } from "./orphans.ts";
import { SupervisorError } from "./supervisor-error.ts";

interface Takeover {
  listeners: Listeners;
  orphans: Orphans;
}

interface TakeoverOptions extends OrphansOptions {
  ports: readonly number[];
  listen?: typeof openListeners | undefined;
}

const retryMs = 100;

/** What an agent that was killed while it started has begun takes a moment to notice. */
const startingLimitMs = 1_000;

/**
 * Opens the ports, after an earlier agent on this directory may have been killed: ends the workers it
 * left, and waits for a port that is in use only as long as one of them may still hold it.
 *
 * @throws {SupervisorError} `PORT_IN_USE`, `PORT_FORBIDDEN`, `LISTEN_FAILED`
 */
export async function takeOver(
  { ports, listen = openListeners, ...options }: TakeoverOptions,
  call: Call,
): Promise<Takeover> {
  const orphans = await endOrphans(options, call);
  const { logger, clock = systemClock } = options;
  let waitedMs = 0;
  for (;;) {
    const mayWait = orphans.alive.length > 0 || waitedMs < startingLimitMs;
    try {
      return { listeners: await listen(ports, call), orphans };
    } catch (error) {
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
