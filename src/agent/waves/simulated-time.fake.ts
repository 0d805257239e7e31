import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";

interface Sleeper {
  atMs: number;
  order: number;
  wake(): void;
}

/** A clock that goes from one sleeper to the next as soon as everybody waits, hours in a moment. */
export class SimulatedTime implements Clock {
  nowMs = Date.parse("2026-01-01T00:00:00Z");
  #order = 0;
  #sleepers: Sleeper[] = [];

  now(): Date {
    return new Date(this.nowMs);
  }

  sleep(ms: number, { signal }: Call): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const stop = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal.reason);
      };
      const wake = () => {
        signal.removeEventListener("abort", stop);
        resolve();
      };
      const sleeper = { atMs: this.nowMs + ms, order: this.#order++, wake };
      this.#add(sleeper);
      signal.addEventListener("abort", stop, { once: true });
    });
  }

  /** Lets `ms` go by, or less where `until` holds before. */
  async pass(ms: number, until: () => boolean = () => false): Promise<void> {
    const endMs = this.nowMs + ms;
    await settled();
    while (!until()) {
      const next = this.#sleepers[0];
      if (!next || next.atMs > endMs) break;
      this.#sleepers.shift();
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.wake();
      await settled();
    }
    if (!until()) this.nowMs = endMs;
  }

  /** In order of time, by halving. */
  #add(sleeper: Sleeper): void {
    let [low, high] = [0, this.#sleepers.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sleepers[middle]?.atMs ?? 0) <= sleeper.atMs) low = middle + 1;
      else high = middle;
    }
    this.#sleepers.splice(low, 0, sleeper);
  }
}

/** Nothing in a simulation waits for anything but promises: they all run before the next timer. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
