import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { DewyError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { GarbageError } from "./garbage-error.ts";

/** Work of this process that may take hours, as far as it has come. */
export interface RunState {
  readonly id: string;
  readonly beganAt: Date;
  /** `undefined` for what nobody asked for by name: by its rhythm, or without a login. */
  readonly actor: string | undefined;
  /** `interrupted` by the end of the process. */
  status: "running" | "ended" | "failed" | "interrupted";
  endedAt: Date | undefined;
  problem: string | undefined;
}

/** The work of one kind: one at a time, and the last ones. */
export interface Runs<State extends RunState> {
  /** Whether nothing can begin any more. */
  isClosed(): boolean;
  /** @throws {GarbageError} `BUSY` */
  begin(state: State, work: RunWork): BegunRun;
  /** By its id; `current` is the last that began. */
  find(id: string): State | undefined;
  /** Interrupts what is going on. */
  close(): Promise<void>;
}

/** Calls `begun` when it is certain that it can do what it is to. */
export type RunWork = (begun: () => void, call: Call) => Promise<void>;

export interface BegunRun {
  /** Resolves when it has begun, or failed to in a way that its state tells. */
  begun: Promise<void>;
  ended: Promise<void>;
}

export interface RunsParts<State> {
  /** What there is one of at a time, such as "a collection". */
  kind: string;
  /** What the log says when one fails. */
  failure: string;
  /** Told of each that is over, well or not. */
  ended?: ((state: State) => void) | undefined;
  clock: Clock;
  logger: Logger;
}

const mostRemembered = 20;

export function openRuns<State extends RunState>(parts: RunsParts<State>): Runs<State> {
  const { kind, failure, ended: tellEnded, clock, logger } = parts;
  const stop = new AbortController();
  const known: State[] = [];
  let running: Promise<void> | undefined;

  return {
    isClosed: () => stop.signal.aborted,

    begin(state, work) {
      stop.signal.throwIfAborted();
      if (running !== undefined) {
        throw new GarbageError("BUSY", `${kind} is at work`, { hint: "wait until it has ended" });
      }
      let tellBegun = () => {};
      const hasBegun = new Promise<void>((resolve) => {
        tellBegun = resolve;
      });
      const begun = () => {
        remember(state);
        tellBegun();
      };
      const ended = carryOut(state, () => work(begun, { signal: stop.signal })).finally(() => {
        running = undefined;
      });
      ended.catch(() => {}); // told by its state, and by the log
      running = ended;
      const hasBegunOrFailed = Promise.race([hasBegun, ended]);
      hasBegunOrFailed.catch(() => {}); // nobody waits for the beginning of what goes by its rhythm
      return { ended, begun: hasBegunOrFailed };
    },

    find: (id) => (id === "current" ? known.at(-1) : known.find((state) => state.id === id)),

    async close() {
      stop.abort(new Error("the registry is closing"));
      await running?.catch(() => {});
    },
  };

  async function carryOut(state: State, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      state.status = "ended";
    } catch (error) {
      const isInterrupted = isEchoOf(stop.signal, error);
      state.status = isInterrupted ? "interrupted" : "failed";
      if (!isInterrupted) state.problem = problemOf(error);
      if (!isInterrupted && !isBusy(error)) logger.error(failure, { error });
      throw error;
    } finally {
      state.endedAt = clock.now();
      tellEnded?.(state);
    }
  }

  function remember(state: State): void {
    known.push(state);
    if (known.length > mostRemembered) known.shift();
  }
}

export function isBusy(error: unknown): boolean {
  return error instanceof GarbageError && error.code === "BUSY";
}

/** No more than a stranger may know; the log has the rest. */
function problemOf(error: unknown): string {
  return error instanceof DewyError ? error.message : "it failed; the log says why";
}
