/** How long the thread is had, and what it is then left for. */
export interface BreakOptions {
  sliceMs: number;
  pause: () => Promise<unknown>;
}

/** Pushes beside it have the processor and the disk for half of the time; whoever is to stop hears it then. */
export const besidePushes = { sliceMs: 4, breakMs: 4 };

/** Lets others have the thread now and then, between calls that block it. */
export class Breaks {
  readonly #sliceMs: number;
  readonly #pause: () => Promise<unknown>;
  #begunMs = performance.now();

  constructor({ sliceMs, pause }: BreakOptions) {
    this.#sliceMs = sliceMs;
    this.#pause = pause;
  }

  async whenDue(): Promise<void> {
    if (performance.now() - this.#begunMs < this.#sliceMs) return;
    await this.#pause();
    this.#begunMs = performance.now();
  }
}
