import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { Observe } from "../event.ts";
import type { Probe } from "../readiness/health-probes.ts";
import { watchPauses } from "../readiness/pauses.ts";
import { failureOf, longestProbeMs } from "../readiness/probe.ts";
import type { Container } from "./runtime.ts";
import type { Traffic } from "./traffic.ts";

export interface WatchOptions {
  /** How often each is asked; 0 for never. */
  everyMs: number;
  /** For how long one may be unwell before it is to be replaced. */
  timeoutMs: number;
}

export interface WatchParts {
  traffic: Traffic;
  clock: Clock;
  logger: Logger;
  observe: Observe;
  /** One has lost the traffic. */
  withdrawn(id: string): void;
  /** One has been unwell for too long. */
  overdue(): void;
  /** Keeps `work` going behind what called for it. */
  behind(work: Promise<unknown>): void;
}

/** One that serves. */
export interface Watched {
  container: Container;
  tag: string;
  /** `undefined` where nothing is asked of it, and the engine alone may tell. */
  probe: Probe | undefined;
  /** Lets it into the traffic again. */
  admit(call: Call): Promise<void>;
}

export interface Unwell {
  since: Date;
  reason: string;
}

/**
 * Asks replicas that serve how they are. One that is unwell loses the traffic while another one is
 * well, so never the last one; it gets it back when it is well again.
 */
export interface ReplicaWatch {
  /** From now on, as one that is well. */
  begin(watched: Watched): void;
  /** Whatever it does from now on is meant to be. */
  end(id: string): void;
  /** The ids of all that are watched. */
  readonly ids: ReadonlySet<string>;
  /** What the image's own HEALTHCHECK says now. */
  told(id: string, isWell: boolean): void;
  /** `undefined` for one that is well, or not watched. */
  unwell(id: string): Unwell | undefined;
  isOverdue(id: string): boolean;
}

const badAnswersAllowed = 2;
/** Bad answers in a row that do not count, since this process was paused. */
const excusesAllowed = 3;
/** One good answer may be chance, too. */
const goodAnswersNeeded = 2;
const betweenLooksMs = 2_000;

interface Entry extends Watched {
  over: AbortController;
  bad: number;
  excused: number;
  good: number;
  engineSaysUnwell: boolean;
  reason: string;
  unwellSince: Date | undefined;
  isToldOverdue: boolean;
  isJudged: boolean;
}

export function openReplicaWatch(
  { everyMs, timeoutMs }: WatchOptions,
  parts: WatchParts,
  call: Call,
): ReplicaWatch {
  const { traffic, clock, logger, observe } = parts;
  const entries = new Map<string, Entry>();
  call.signal.addEventListener("abort", endAll, { once: true });

  return {
    begin,
    end,
    get ids() {
      return new Set(entries.keys());
    },

    told(id, isWell) {
      const entry = entries.get(id);
      if (!entry || entry.engineSaysUnwell === !isWell) return;
      entry.engineSaysUnwell = !isWell;
      if (!isWell) entry.reason = engineReason;
      parts.behind(judge(entry));
    },

    unwell(id) {
      const { unwellSince: since, reason } = entries.get(id) ?? {};
      return since && reason !== undefined ? { since, reason } : undefined;
    },

    isOverdue(id) {
      const entry = entries.get(id);
      return entry !== undefined && isOverdue(entry);
    },
  };

  function begin(watched: Watched): void {
    const { id, health } = watched.container;
    end(id);
    if (call.signal.aborted) return;
    const engineSaysUnwell = health === "unhealthy";
    const entry: Entry = {
      ...{ ...watched, over: new AbortController(), engineSaysUnwell },
      ...{ bad: 0, excused: 0, good: 0, reason: engineSaysUnwell ? engineReason : "" },
      ...{ unwellSince: undefined, isToldOverdue: false, isJudged: false },
    };
    entries.set(id, entry);
    parts.behind(watch(entry));
  }

  function end(id: string): void {
    entries.get(id)?.over.abort();
    entries.delete(id);
  }

  function endAll(): void {
    for (const id of [...entries.keys()]) end(id);
  }

  async function watch(entry: Entry): Promise<void> {
    const { container, tag, probe, over } = entry;
    const asked = everyMs > 0 ? probe : undefined;
    const pauses = watchPauses();
    try {
      for (let tookMs = 0; ; ) {
        await clock.sleep(Math.max(0, (everyMs || betweenLooksMs) - tookMs), over);
        const begunAt = performance.now();
        if (asked) {
          const target = { tag, pid: container.pid };
          leaveOut(entry, pauses.takeMs());
          const failure = await failureOf(asked, target, timeoutMs, over);
          over.signal.throwIfAborted();
          const pausedMs = pauses.takeMs();
          note(entry, failure, { tookMs: performance.now() - begunAt, pausedMs });
        }
        await judge(entry);
        tookMs = performance.now() - begunAt;
      }
    } catch (error) {
      if (!isEchoOf(over.signal, error)) throw error;
    } finally {
      pauses.close();
    }
  }

  /**
   * Whoever takes long is taken to have been asked as often meanwhile as `everyMs` says. While this
   * process was paused nobody listened to the answer, which says nothing then: a few times in a row, as
   * a host may be too busy all the time.
   */
  function note(
    entry: Entry,
    failure: unknown,
    { tookMs, pausedMs }: { tookMs: number; pausedMs: number },
  ): void {
    leaveOut(entry, pausedMs);
    if (failure === undefined) {
      [entry.bad, entry.excused] = [0, 0];
      entry.good++;
      return;
    }
    if (pausedMs > 0 && entry.excused < excusesAllowed) {
      entry.excused++;
      const { name: container } = entry.container;
      logger.debug("A bad answer does not count: dewy itself was paused", { container, pausedMs });
      return;
    }
    entry.good = 0;
    entry.bad += Math.max(1, Math.floor(Math.min(tookMs, longestProbeMs) / everyMs));
    entry.reason = messageOf(failure);
  }

  /** Of the time that one is unwell. */
  function leaveOut(entry: Entry, pausedMs: number): void {
    const { unwellSince } = entry;
    if (unwellSince) entry.unwellSince = new Date(unwellSince.getTime() + pausedMs);
  }

  /** What the proxy refuses is tried again at the next look. */
  async function judge(entry: Entry): Promise<void> {
    if (entry.isJudged) return;
    entry.isJudged = true;
    try {
      await act(entry);
    } catch (error) {
      if (isEchoOf(entry.over.signal, error)) return;
      const { name: container } = entry.container;
      logger.error("The traffic to a replica could not be changed", { container, error });
    } finally {
      entry.isJudged = false;
    }
  }

  async function act(entry: Entry): Promise<void> {
    const isBad = entry.engineSaysUnwell || entry.bad > badAnswersAllowed;
    if (isBad && !entry.unwellSince) await becameUnwell(entry);
    else if (entry.unwellSince && isWellAgain(entry)) await becameWell(entry);
    else if (entry.unwellSince) await withdraw(entry);
    if (!isOverdue(entry) || entry.isToldOverdue || entry.over.signal.aborted) return;
    entry.isToldOverdue = true;
    parts.overdue();
  }

  async function becameUnwell(entry: Entry): Promise<void> {
    const { container, tag, reason } = entry;
    entry.unwellSince = clock.now();
    entry.good = 0;
    await withdraw(entry);
    const isServing = traffic.serving.has(container.id);
    logger.warn(
      isServing
        ? "A replica is unwell, and keeps the traffic, since no other one is well"
        : "A replica is unwell, and leaves the traffic",
      { container: container.name, tag, reason },
    );
    observe({ type: "replica unwell", replica: container.name, tag, reason, isServing });
  }

  async function becameWell(entry: Entry): Promise<void> {
    const { container, tag, over } = entry;
    if (!traffic.serving.has(container.id)) await entry.admit(over);
    entry.unwellSince = undefined;
    entry.isToldOverdue = false;
    logger.info("A replica is well again", { container: container.name, tag });
    observe({ type: "replica well again", replica: container.name, tag });
  }

  /** Only while another one that has the traffic is well. */
  async function withdraw({ container: { id } }: Entry): Promise<void> {
    if (!traffic.serving.has(id) || ![...entries.values()].some(isWellWithout(id))) return;
    const gone = traffic.withdraw([id], call); // whoever is told may end this watch meanwhile
    parts.withdrawn(id);
    await gone;
  }

  function isWellWithout(id: string) {
    return ({ container, bad, engineSaysUnwell, unwellSince }: Entry): boolean =>
      container.id !== id &&
      traffic.serving.has(container.id) &&
      !unwellSince &&
      !engineSaysUnwell &&
      bad === 0;
  }

  function isWellAgain({ engineSaysUnwell, bad, good, probe }: Entry): boolean {
    if (engineSaysUnwell || bad > 0) return false;
    return probe === undefined || everyMs === 0 || good >= goodAnswersNeeded;
  }

  function isOverdue({ unwellSince }: Entry): boolean {
    return unwellSince !== undefined && clock.now().getTime() - unwellSince.getTime() >= timeoutMs;
  }
}

const engineReason = "the image's HEALTHCHECK says unhealthy";
