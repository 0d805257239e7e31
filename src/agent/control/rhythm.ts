import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";

interface Waiting {
  /** Passes that have to end. */
  left: number;
  done(): void;
}

/** When the app is looked after: in passes, with rests between them. */
export interface Rhythm {
  /** When the rest ends by itself; `undefined` during a pass. */
  readonly nextAt: Date | undefined;
  /** Between two passes; shorter when somebody waits for one. */
  rest(ms: number, call: Call): Promise<void>;
  /** Ends the rest. */
  nudge(): void;
  /** Resolves when a pass that began after this call has ended. */
  pass(call: Call): Promise<void>;
}

export function openRhythm(clock: Clock): Rhythm {
  let resting: AbortController | undefined;
  let nextAt: Date | undefined;
  let waiting: Waiting[] = [];

  return {
    get nextAt() {
      return nextAt;
    },

    async rest(ms, call) {
      for (const each of waiting) each.left--;
      for (const each of waiting) if (each.left === 0) each.done();
      waiting = waiting.filter(({ left }) => left > 0);
      call.signal.throwIfAborted();
      if (waiting.length > 0) return;
      await restFor(ms, call);
    },

    nudge() {
      resting?.abort();
      resting = undefined;
    },

    pass({ signal }) {
      return new Promise((resolve, reject) => {
        const stop = () => {
          waiting = waiting.filter((other) => other !== own);
          reject(signal.reason);
        };
        const done = () => {
          signal.removeEventListener("abort", stop);
          resolve();
        };
        const own = { left: resting ? 1 : 2, done };
        if (signal.aborted) return stop();
        signal.addEventListener("abort", stop, { once: true });
        waiting.push(own);
        resting?.abort();
        resting = undefined;
      });
    },
  };

  async function restFor(ms: number, { signal }: Call): Promise<void> {
    const own = new AbortController();
    resting = own;
    nextAt = new Date(clock.now().getTime() + ms);
    const passOn = () => own.abort();
    signal.addEventListener("abort", passOn, { once: true });
    try {
      await clock.sleep(ms, own).catch((error) => {
        if (!own.signal.aborted) throw error;
      });
      signal.throwIfAborted();
    } finally {
      signal.removeEventListener("abort", passOn);
      if (resting === own) resting = undefined;
      nextAt = undefined;
    }
  }
}
