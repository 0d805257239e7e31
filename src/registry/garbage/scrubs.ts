import { randomUUID } from "node:crypto";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Scrubber } from "./collector.ts";
import { isBusy, openRuns, type RunState } from "./runs.ts";
import {
  countScrubbed,
  nothingRead,
  type RottenBlob,
  type ScrubEvent,
  type ScrubTotals,
} from "./scrub.ts";

/** A scrub of this process; one that was interrupted begins anew. */
export interface ScrubState extends RunState {
  readonly setAside: boolean;
  /** How much of all was read, from 0 to 1. */
  part: number;
  totals: ScrubTotals;
  /** What was rotten: the first of it. */
  readonly items: (RottenBlob & { repositories: string[] })[];
}

export interface ScrubWish {
  setAside?: boolean | undefined;
  actor?: string | undefined;
}

/** The scrubs of this process: one at a time, and the last ones. */
export interface Scrubs {
  /** Resolves when it has begun. @throws {GarbageError} `BUSY` */
  start(wish: ScrubWish): Promise<ScrubState>;
  /** Resolves when it has ended, well or not: that is in the log. @throws {GarbageError} `BUSY` */
  run(wish: ScrubWish): Promise<void>;
  /** By its id; `current` is the last that began. */
  find(id: string): ScrubState | undefined;
  /** Interrupts what is going on. */
  close(): Promise<void>;
}

export interface ScrubsParts {
  scrubber: Scrubber;
  /** Notes for later processes that all was read; nothing, where nothing may be written. */
  record?: ((at: Date, call: Call) => Promise<void>) | undefined;
  /** Told of all that happens, while it does. */
  noted(event: ScrubEvent): void;
  /** Told of each that is over, well or not. */
  ended(state: ScrubState): void;
  clock: Clock;
  logger: Logger;
}

const mostItems = 1_000;
const mostRepositories = 100;

export function openScrubs(parts: ScrubsParts): Scrubs {
  const { scrubber, record, noted, ended, clock, logger } = parts;
  const [kind, failure] = ["a scrub", "the blobs could not be scrubbed"];
  const runs = openRuns<ScrubState>({ kind, failure, ended, clock, logger });

  return {
    async start(wish) {
      const { state, begun } = begin(wish);
      await begun;
      return state;
    },

    async run(wish) {
      if (runs.isClosed()) return;
      await begin(wish).ended.catch((error: unknown) => {
        if (isBusy(error)) throw error;
      });
    },

    find: runs.find,
    close: runs.close,
  };

  function begin({ setAside = false, actor }: ScrubWish) {
    const state = stateOf({ setAside, actor, beganAt: clock.now() });
    const run = runs.begin(state, (begun, call) => {
      begun();
      return scrub(state, call);
    });
    return { state, ...run };
  }

  async function scrub(state: ScrubState, call: Call): Promise<void> {
    const { setAside } = state;
    const report = (event: ScrubEvent) => {
      note(event, state);
      noted(event);
      if (event.is === "missed") {
        const { digest, repository } = event;
        logger.error("an image with a rotten blob wants to be pushed again", {
          digest,
          repository,
        });
      }
      if (event.is !== "rotten") return;
      const { digest, actual, isAside } = event;
      logger.error("a blob is rotten", { digest, actual, setAside: isAside });
    };
    logger.info("scrub begun", { setAside });
    state.totals = await scrubber({ setAside, report }, call);
    await record?.(clock.now(), call).catch((error: unknown) => {
      logger.warn("it could not be noted that all blobs were read", { error });
    });
    logger.info("scrub ended", { ...state.totals, setAside });
  }
}

function stateOf(asked: Pick<ScrubState, "setAside" | "actor" | "beganAt">): ScrubState {
  return {
    ...{ id: randomUUID(), ...asked, status: "running", endedAt: undefined, problem: undefined },
    ...{ part: 0, totals: { ...nothingRead }, items: [] },
  };
}

function note(event: ScrubEvent, state: ScrubState): void {
  countScrubbed(event, state.totals);
  if (event.is === "part") state.part = event.part;
  if (event.is === "missed") noteMissed(event, state);
  if (event.is !== "rotten" || state.items.length >= mostItems) return;
  const { digest, actual, isAside } = event;
  state.items.push({ digest, actual, isAside, repositories: [] });
}

function noteMissed(
  { digest, repository }: Extract<ScrubEvent, { is: "missed" }>,
  { items }: ScrubState,
): void {
  const item = items.find((item) => item.digest === digest);
  if (item && item.repositories.length < mostRepositories) item.repositories.push(repository);
}
