import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { backoffMs } from "../../base/retry.ts";

export interface RevivalParts {
  clock: Clock;
  logger: Logger;
  /** Aborts when nothing is to be started any more. */
  stopped: AbortSignal;
  /** Resolves when nobody is on probation who may take its place. */
  decided(call: Call): Promise<void>;
  /** Starts what the command leads to, and takes it into service unless `call` has ended. */
  launch(call: Call): Promise<{ pid: number; generation: number }>;
}

const backoff = { firstMs: 1_000, maximumMs: 60_000 };

/** Who lived this long did not die of its start: the next death counts as the first. */
const steadyMs = 60_000;

/** Starts an app that has died again, later and later, until it runs or something else is in service. */
export class Revival {
  readonly #parts: RevivalParts;
  #underWay: AbortController | undefined;
  #deaths = 0;

  constructor(parts: RevivalParts) {
    this.#parts = parts;
  }

  noteDeath(livedMs: number): void {
    this.#deaths = livedMs < steadyMs ? this.#deaths + 1 : 1;
  }

  /** Something is in service. */
  end(): void {
    this.#underWay?.abort();
    this.#deaths = 0;
  }

  /** Resolves when it runs, or need not any more. */
  async begin(): Promise<void> {
    this.#underWay?.abort();
    const underWay = new AbortController();
    this.#underWay = underWay;
    const signal = AbortSignal.any([this.#parts.stopped, underWay.signal]);
    try {
      while (!(await this.#succeeds({ signal }))) this.#deaths += 1;
    } catch (error) {
      if (!isEchoOf(signal, error)) throw error;
    }
  }

  async #succeeds(call: Call): Promise<boolean> {
    const { clock, logger, decided, launch } = this.#parts;
    const deaths = this.#deaths;
    await clock.sleep(backoffMs(backoff, deaths), call);
    await decided(call);
    try {
      const { pid, generation } = await launch(call);
      logger.warn("The app was started again", { pid, generation, deaths });
      return true;
    } catch (error) {
      if (isEchoOf(call.signal, error)) throw error;
      logger.error("The app cannot be started again", { error, deaths });
      return false;
    }
  }
}
