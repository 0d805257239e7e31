import { randomUUID } from "node:crypto";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
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
import { isBusy, openRuns, type RunState } from "./runs.ts";

/** A collection of this process; of one that was interrupted, the next goes on from there. */
export interface CollectionState extends RunState {
  readonly dryRun: boolean;
  readonly deleteUntagged: boolean;
  /** How many repositories were looked at. */
  repositories: number;
  /** The bytes are only known at the end. */
  totals: GarbageTotals;
  /** What went, or would go: the first of them. */
  readonly items: GarbageItem[];
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
  /**
   * Resolves when it has ended, well or not: that is in the log. One that ended as the clock was set
   * back is followed by another.
   *
   * @throws {GarbageError} `BUSY`
   */
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

const mostItems = 1_000;

export function openCollections(
  options: GarbageCollectOptions,
  { ended, collector, clock, logger }: CollectionsParts,
): Collections {
  const [kind, failure] = ["a collection", "garbage could not be collected"];
  const runs = openRuns<CollectionState>({ kind, failure, ended, clock, logger });

  return {
    async start(wish) {
      const { state, begun } = begin(wish);
      await begun;
      return state;
    },

    async run() {
      const failure = await failureOfOne();
      const isWorthAnother = failure instanceof GarbageError && failure.code === "CLOCK_SET_BACK";
      if (isWorthAnother) await failureOfOne();
    },

    find: runs.find,
    close: runs.close,
  };

  async function failureOfOne(): Promise<unknown> {
    if (runs.isClosed()) return undefined;
    try {
      await begin({}).ended;
      return undefined;
    } catch (error) {
      if (isBusy(error)) throw error;
      return error;
    }
  }

  function begin({ actor, ...wish }: CollectionWish) {
    const { dryRun = options.dryrun, deleteUntagged = options.deleteuntagged } = wish;
    const state = stateOf({ dryRun, deleteUntagged, actor, beganAt: clock.now() });
    return { state, ...runs.begin(state, (begun, call) => collect(state, begun, call)) };
  }

  async function collect(state: CollectionState, begun: () => void, call: Call): Promise<void> {
    const { dryRun, deleteUntagged } = state;
    const { grace: graceMs, trash: trashMs } = options;
    const report = (event: GarbageEvent) => {
      if (event.is === "begun") begun();
      note(event, state);
      logGarbage(event, logger, dryRun);
    };
    const settings = { graceMs, trashMs, deleteUntagged, dryRun, clock, report };
    state.totals = await collector(settings, call);
    logger.info("garbage collection ended", { ...state.totals, dryRun });
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
