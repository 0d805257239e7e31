import type { Call } from "../../base/call.ts";
import type { Logger } from "../../base/logger.ts";
import { type Fleet, orLog } from "./fleet.ts";
import type { ReleaseImage } from "./release-image.ts";
import { indexOf } from "./replica.ts";
import { type Container, ContainerError } from "./runtime.ts";

export interface RolloutOptions {
  image: ReleaseImage;
  replicas: number;
  surge: number;
  /** What serves now, with the image each belongs to; to be replaced. */
  old: readonly OldReplica[];
}

export interface OldReplica {
  container: Container;
  image: ReleaseImage;
}

/** Replicas of one release, exchanged for those of another: until the commit, either way. */
export interface Rollout {
  /** Those of the new release that serve. */
  readonly fresh: readonly Container[];
  /** The first new ones serve, beside all the old ones. */
  begin(call: Call): Promise<void>;
  /** All new ones serve, and no old one does. Never fewer serve than were asked for. */
  complete(call: Call): Promise<void>;
  /** The old ones end, once they have drained. @returns when they are gone */
  commit(call: Call): Promise<void>;
  /** The old ones serve again, all of them, and then the new ones end. */
  undo(call: Call): Promise<void>;
  /** One has lost the traffic by itself: no old one is taken out until another one serves instead. */
  lost(id: string): void;
}

interface Retired extends OldReplica {
  ended: Promise<unknown>;
  abort(): void;
}

export function openRollout(
  { image, replicas, surge, old }: RolloutOptions,
  fleet: Fleet,
  { logger }: { logger: Logger },
): Rollout {
  const waiting = [...old];
  const retired: Retired[] = [];
  const fresh: Container[] = [];
  /** New ones that were lost. */
  const strays: Container[] = [];
  /** Old ones that do not serve, and have not ended yet. */
  const draining = new Set<Promise<unknown>>();
  let losses = 0;
  let wake = () => {};
  let last: Call = { signal: AbortSignal.abort() };
  return { fresh, begin, complete, commit, undo, lost };

  async function begin(call: Call): Promise<void> {
    last = call;
    await add(waiting.length === 0 ? replicas : Math.min(surge, replicas), call);
  }

  async function complete(call: Call): Promise<void> {
    last = call;
    for (;;) {
      if (losses > replicas) throw failedAfterwards(losses);
      const surplus = fresh.length === replicas ? waiting.length : countAll() - replicas;
      for (const next of waiting.splice(0, Math.max(0, surplus))) retire(next, call);
      if (fresh.length === replicas) return;
      while (roomLeft() < 1 && draining.size > 0) await Promise.race([...draining, anotherLoss()]);
      call.signal.throwIfAborted();
      await add(Math.min(Math.max(1, roomLeft()), replicas - fresh.length), call);
    }
  }

  async function commit(call: Call): Promise<void> {
    await Promise.all(
      retired.map(async ({ container, ended }) => {
        await ended;
        await orLog(
          fleet.remove(container, call),
          "an old container was not removed",
          { logger },
          call,
        );
      }),
    );
  }

  /**
   * The old ones first: at no moment do fewer serve than did before. For each that cannot be put back,
   * as with an engine that is gone, a new one stays until somebody looks after them again.
   */
  async function undo(call: Call): Promise<void> {
    for (const one of retired) one.abort();
    await Promise.all(retired.map(({ ended }) => ended));
    const back = await Promise.all(
      retired.map(({ container, image: before }) =>
        orLog(
          fleet.revive(container, before, call),
          "an old container could not be put back",
          { logger },
          call,
        ),
      ),
    );
    const needed = back.filter((isBack) => !isBack).length;
    await Promise.all(
      [...fresh.slice(needed), ...strays].map(async (container) => {
        await orLog(
          fleet.retire(container, call),
          "a new container was not stopped",
          { logger },
          call,
        );
        await orLog(
          fleet.remove(container, call),
          "a new container was not removed",
          { logger },
          call,
        );
      }),
    );
    fresh.length = 0;
    strays.length = 0;
  }

  function lost(id: string): void {
    const [before] = waiting.filter(({ container }) => container.id === id);
    const [ours] = fresh.filter((container) => container.id === id);
    if (before) {
      waiting.splice(waiting.indexOf(before), 1);
      retire(before, last);
    } else if (ours) {
      strays.push(...fresh.splice(fresh.indexOf(ours), 1));
      losses++;
    }
    wake();
  }

  function anotherLoss(): Promise<void> {
    return new Promise((resolve) => {
      wake = resolve;
    });
  }

  async function add(count: number, call: Call): Promise<void> {
    const taken = new Set(fresh.map(indexOf));
    const free = Array.from({ length: replicas }, (_, index) => index).filter(
      (index) => !taken.has(index),
    );
    const started = free.slice(0, count).map(async (index) => {
      fresh.push(await fleet.bringUp(image, index, call));
    });
    const outcomes = await Promise.allSettled(started);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  function retire(one: OldReplica, call: Call): void {
    const own = new AbortController();
    const each = { signal: AbortSignal.any([call.signal, own.signal]) };
    const ended = orLog(
      fleet.retire(one.container, each),
      "an old container could not be stopped",
      { logger },
      each,
    ).finally(() => draining.delete(ended));
    draining.add(ended);
    retired.push({ ...one, ended, abort: () => own.abort() });
  }

  function countAll(): number {
    return waiting.length + fresh.length;
  }

  function roomLeft(): number {
    return replicas + surge - countAll() - draining.size;
  }
}

function failedAfterwards(count: number): ContainerError {
  return new ContainerError(
    "NOT_STARTED",
    `${count} of its replicas were lost after they had served`,
    {
      hint: "look at what they wrote, or watch them longer before they count, by --bake",
    },
  );
}
