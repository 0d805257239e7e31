import { setTimeout as sleep } from "node:timers/promises";
import type { Call } from "./call.ts";

/** Time, as far as the rhythm of the program depends on it. */
export interface Clock {
  now(): Date;
  /** Rejects when the call is aborted. */
  sleep(ms: number, call: Call): Promise<void>;
}

export const systemClock: Clock = {
  now: () => new Date(),
  sleep: (ms, { signal }) => sleep(ms, undefined, { signal }),
};
