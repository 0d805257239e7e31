import type { Call } from "../../base/call.ts";
import type { Logger } from "../../base/logger.ts";
import type { Fleet } from "./fleet.ts";
import { imageOf } from "./reconcile.ts";
import type { ReleaseImage } from "./release-image.ts";
import { openRollout, type Rollout } from "./rollout.ts";
import type { Container } from "./runtime.ts";
import type { Traffic } from "./traffic.ts";

export interface ExchangeOptions {
  replicas: number;
  surge: number;
  /** How long putting the old ones back may take. */
  undoLimitMs: number;
}

export interface ExchangeParts {
  fleet: Fleet;
  traffic: Traffic;
  logger: Logger;
  /** See `ReconcileParts`. */
  leaving: Set<string>;
  /** Keeps `work` going behind what called for it. */
  behind(work: Promise<unknown>): void;
}

/** Replicas of an image in the place of those that serve, until they are let go or put back. */
export interface Exchange {
  readonly fresh: readonly Container[];
  readonly old: readonly Container[];
  complete(call: Call): Promise<void>;
  /** It is meant to be: the old ones go, behind who says so. */
  letGo(): void;
  undo(): Promise<void>;
}

export interface UnderWay {
  tag: string;
  rollout: Rollout;
}

export interface Exchanges {
  readonly underWay: UnderWay | undefined;
  /** Somebody else's has begun, or is over. */
  note(underWay: UnderWay | undefined): void;
  /** What fails is undone. */
  begin(image: ReleaseImage, call: Call): Promise<Exchange>;
}

/** @param always under which old ones go */
export function openExchanges(
  { replicas, surge, undoLimitMs }: ExchangeOptions,
  parts: ExchangeParts,
  always: Call,
): Exchanges {
  const { fleet, traffic, logger, leaving, behind } = parts;
  let underWay: UnderWay | undefined;
  return {
    get underWay() {
      return underWay;
    },
    note,

    async begin(image, call) {
      const old = (await fleet.list(call)).filter(({ id }) => traffic.serving.has(id));
      const replaced = old.map((container) => ({ container, image: imageOf(container) }));
      const rollout = openRollout({ image, replicas, surge, old: replaced }, fleet, parts);
      note({ tag: image.tag, rollout });
      try {
        await rollout.begin(call);
      } catch (error) {
        await undo(rollout);
        throw error;
      }
      return {
        ...{ fresh: rollout.fresh, old },
        complete: (each) => rollout.complete(each),
        letGo: () => letGo(rollout, old),
        undo: () => undo(rollout),
      };
    },
  };

  function note(now: UnderWay | undefined): void {
    underWay = now;
  }

  /** Even when the agent is told to end: it is what puts the old ones back. */
  async function undo(rollout: Rollout): Promise<void> {
    logger.warn("Rolling back containers", { replicas: rollout.fresh.length });
    note(undefined);
    await rollout.undo({ signal: AbortSignal.timeout(undoLimitMs) });
  }

  function letGo(rollout: Rollout, old: readonly Container[]): void {
    note(undefined);
    for (const { id } of old) leaving.add(id);
    const gone = rollout.commit(always);
    behind(gone.finally(() => old.map(({ id }) => leaving.delete(id))));
  }
}
