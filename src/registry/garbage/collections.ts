import { randomUUID } from "node:crypto";
import { isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { DewyError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { logGarbage } from "./collection-log.ts";
import type { Collector } from "./collector.ts";
import { GarbageError } from "./garbage-error.ts";
import {
  countGarbage,
  type GarbageEvent,
  type GarbageItem,
  type GarbageTotals,
  nothingYet,
} from "./garbage-event.ts";
import type { GarbageCollectOptions } from "./options.ts";

/** A collection of this process, as far as it has come. */
export interface CollectionState {
  readonly id: string;
  readonly beganAt: Date;
  readonly dryRun: boolean;
  readonly deleteUntagged: boolean;
  /** `undefined` for one that nobody asked for by name: by its rhythm, or without a login. */
  readonly actor: string | undefined;
  /** `interrupted` by the end of the process; the next goes on from there. */
  status: "running" | "ended" | "failed" | "interrupted";
  endedAt: Date | undefined;
  /** How many repositories were looked at. */
  repositories: number;
  /** The bytes are only known at the end. */
  totals: GarbageTotals;
  /** What went, or would go: the first of them. */
  readonly items: GarbageItem[];
  problem: string | undefined;
}

export interface CollectionWish {
  dryRun?: boolean | undefined;
  deleteUntagged?: boolean | undefined;
  actor?: string | undefined;
}

/** The collections of this process: one at a time, and the last ones. */
export interface Collections {
  /**
   * Resolves when it has begun; what is not wished for is as configured.
   *
   * @throws {GarbageError} `BUSY`, also for one in another process
   * @throws {StorageError} when it could not begin
   */
  start(wish: CollectionWish): Promise<CollectionState>;
  /** Resolves when it has ended, well or not: that is in the log. @throws {GarbageError} `BUSY` */
  run(): Promise<void>;
  /** By its id; `current` is the last that began. */
  find(id: string): CollectionState | undefined;
  /** Interrupts what is going on; it goes on with the next start. */
  close(): Promise<void>;
}

export interface CollectionsParts {
  /** Told of each that is over, well or not. */
  ended?(state: CollectionState): void;
  collector: Collector;
  clock: Clock;
  logger: Logger;
}

const mostRemembered = 20;
const mostItems = 1_000;

export function openCollections(
  options: GarbageCollectOptions,
  { ended: tellEnded, collector, clock, logger }: CollectionsParts,
): Collections {
  const stop = new AbortController();
  const known: CollectionState[] = [];
  let running: Promise<void> | undefined;

  return {
    async start(wish) {
      const { state, begun } = begin(wish);
      await begun;
      return state;
    },

    async run() {
      if (stop.signal.aborted) return;
      await begin({}).ended.catch((error: unknown) => {
        if (isBusy(error)) throw error;
      });
    },

    find: (id) => (id === "current" ? known.at(-1) : known.find((state) => state.id === id)),

    async close() {
      stop.abort(new Error("the registry is closing"));
      await running?.catch(() => {});
    },
  };

  function begin({ actor, ...wish }: CollectionWish) {
    stop.signal.throwIfAborted();
    if (running !== undefined) {
      throw new GarbageError("BUSY", "a collection is at work", {
        hint: "wait until it has ended",
      });
    }
    const { dryRun = options.dryrun, deleteUntagged = options.deleteuntagged } = wish;
    const state = stateOf({ dryRun, deleteUntagged, actor, beganAt: clock.now() });
    let tellBegun = () => {};
    const hasBegun = new Promise<void>((resolve) => {
      tellBegun = resolve;
    });
    const ended = collect(state, () => {
      remember(state);
      tellBegun();
    }).finally(() => {
      running = undefined;
    });
    ended.catch(() => {}); // told by its state, and by the log
    running = ended;
    return { state, ended, begun: Promise.race([hasBegun, ended]) };
  }

  async function collect(state: CollectionState, begun: () => void): Promise<void> {
    const { dryRun, deleteUntagged } = state;
    const { grace: graceMs, trash: trashMs } = options;
    const report = (event: GarbageEvent) => {
      if (event.is === "begun") begun();
      note(event, state);
      logGarbage(event, logger, dryRun);
    };
    const settings = { graceMs, trashMs, deleteUntagged, dryRun, clock, report };
    try {
      state.totals = await collector(settings, { signal: stop.signal });
      state.status = "ended";
      logger.info("garbage collection ended", { ...state.totals, dryRun });
    } catch (error) {
      const isInterrupted = isEchoOf(stop.signal, error);
      state.status = isInterrupted ? "interrupted" : "failed";
      if (!isInterrupted) state.problem = problemOf(error);
      if (!isInterrupted && !isBusy(error)) {
        logger.error("garbage could not be collected", { error });
      }
      throw error;
    } finally {
      state.endedAt = clock.now();
      tellEnded?.(state);
    }
  }

  function remember(state: CollectionState): void {
    known.push(state);
    if (known.length > mostRemembered) known.shift();
  }
}

type NewState = Pick<CollectionState, "dryRun" | "deleteUntagged" | "actor" | "beganAt">;

function stateOf(asked: NewState): CollectionState {
  return {
    ...{ id: randomUUID(), ...asked, status: "running", endedAt: undefined },
    ...{ repositories: 0, totals: { ...nothingYet }, items: [], problem: undefined },
  };
}

function note(event: GarbageEvent, state: CollectionState): void {
  if (event.is === "repository") state.repositories++;
  countGarbage(event, state.totals);
  if (event.is === "eligible" && state.items.length < mostItems) state.items.push(event.item);
}

function isBusy(error: unknown): boolean {
  return error instanceof GarbageError && error.code === "BUSY";
}

/** No more than a stranger may know; the log has the rest. */
function problemOf(error: unknown): string {
  return error instanceof DewyError ? error.message : "it failed; the log says why";
}
