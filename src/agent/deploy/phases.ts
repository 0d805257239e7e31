import type { Logger } from "../../base/logger.ts";
import type { Observe } from "../event.ts";
import { advanceAttempt } from "../ledger/attempt.ts";
import type { Ledger, Phase } from "../ledger/ledger.ts";

export interface PhaseParts {
  ledger: Ledger;
  logger: Logger;
  observe: Observe;
  /** Told of each phase once the ledger has recorded it, and before its work begins. */
  entered?: (phase: Phase) => void;
}

/** How far one deployment has come: in the ledger, in the log, and for whoever measures. */
export interface PhaseTrack {
  enter(phase: Phase, directory?: string): Promise<void>;
  /** The last one is over. */
  end(): void;
}

export function trackPhases(tag: string, parts: PhaseParts): PhaseTrack {
  const { ledger, logger, observe, entered } = parts;
  let current: { phase: Phase; began: number } | undefined;
  return { enter, end };

  async function enter(phase: Phase, directory?: string): Promise<void> {
    end();
    if (ledger.state.attempt) {
      await ledger.update((state) => advanceAttempt(state, phase, directory));
    }
    logger.debug("deployment enters a phase", { phase });
    current = { phase, began: performance.now() };
    entered?.(phase);
  }

  function end(): void {
    if (!current) return;
    const { phase, began } = current;
    current = undefined;
    observe({ type: "phase ended", phase, tag, durationMs: performance.now() - began });
  }
}
