import type { Call } from "./call.ts";
import type { Clock } from "./clock.ts";

interface Sleeper {
  at: number;
  wake(): void;
}

/** A clock that moves only when the test says so. */
export class FakeClock implements Clock {
  #nowMs: number;
  #sleepers: Sleeper[] = [];

  constructor(start: Date = new Date("2026-01-01T00:00:00Z")) {
    this.#nowMs = start.getTime();
  }

  now(): Date {
    return new Date(this.#nowMs);
  }

  get sleeping(): number {
    return this.#sleepers.length;
  }

  async sleep(ms: number, { signal }: Call): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const stop = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal.reason);
      };
      const wake = () => {
        signal.removeEventListener("abort", stop);
        resolve();
      };
      const sleeper = { at: this.#nowMs + ms, wake };
      this.#sleepers.push(sleeper);
      signal.addEventListener("abort", stop, { once: true });
    });
  }

  /** Moves time on by `ms`, wakes who is due, and lets them run until they wait again. */
  async advance(ms: number): Promise<void> {
    this.#nowMs += ms;
    const due = this.#sleepers.filter(({ at }) => at <= this.#nowMs);
    this.#sleepers = this.#sleepers.filter((sleeper) => !due.includes(sleeper));
    for (const { wake } of due) wake();
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}
