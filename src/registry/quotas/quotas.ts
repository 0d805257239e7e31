import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Digest } from "../../oci/digest.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { countRepositories } from "./count-repositories.ts";
import type { QuotaRule } from "./options.ts";
import { QuotaCount, type Reservation } from "./quota-count.ts";
import { QuotaExceeded } from "./quota-exceeded.ts";

export interface QuotaState {
  repositories: string;
  size: number;
  /** At least, until it was counted. */
  used: number;
  countedAt: Date | undefined;
}

/** What the repositories may have together. */
export interface Quotas {
  /** Keeps room for a blob or manifest. @throws {QuotaExceeded} */
  reserve(repository: string, digest: Digest, size: number): Reservation;
  /** Refuses what cannot fit, whatever it turns out to be. @throws {QuotaExceeded} */
  checkUpload(repository: string, size: number): void;
  /** Something may have gone: all is counted anew, behind the requests. */
  recount(): void;
  states(): QuotaState[];
  close(): Promise<void>;
}

export interface QuotasParts {
  storage: StorageDriver;
  clock: Clock;
  logger: Logger;
}

/** What other processes delete or collect is noticed after this. */
const rhythmMs = 3_600_000;
/** Whoever is refused may have deleted by another process: a count this old is made anew. */
const oldMs = 60_000;
/** At most a fifth of the time goes into counting. */
const pausePerCount = 4;
const longestPauseMs = 3_600_000;

/** Counts in the background, from now on. */
export function openQuotas(
  rules: readonly QuotaRule[],
  { storage, clock, logger }: QuotasParts,
): Quotas {
  const quotas = rules.map((rule) => new QuotaCount(rule));
  const stop = new AbortController();
  const call: Call = { signal: stop.signal };
  let isAsked = true;
  let wake = () => {};
  const counting = rules.length === 0 ? Promise.resolve() : keepCounted();

  return {
    reserve(repository, digest, size) {
      const own = applicable(repository);
      for (const quota of own) {
        const cost = quota.costOf(digest, size);
        if (cost > quota.room) throw refused(quota, cost);
      }
      const reservations = own.map((quota) => quota.reserve(digest, size));
      return {
        keep: () => reservations.forEach((each) => void each.keep()),
        release: () => reservations.forEach((each) => void each.release()),
      };
    },

    checkUpload(repository, size) {
      for (const quota of applicable(repository)) {
        if (quota.room === 0 || size > quota.rule.size) throw refused(quota, size);
      }
    },

    recount,

    states: () => quotas.map(({ rule, used, countedAt }) => ({ ...rule, used, countedAt })),

    async close() {
      stop.abort(new Error("the registry is closing"));
      wake();
      await counting;
    },
  };

  function applicable(repository: string): QuotaCount[] {
    return quotas.filter((quota) => quota.appliesTo(repository));
  }

  function refused({ rule, used, countedAt }: QuotaCount, cost: number): QuotaExceeded {
    const nowMs = clock.now().getTime();
    const ageMs = Math.abs(nowMs - (countedAt?.getTime() ?? nowMs)); // the clock may be set back
    if (ageMs > oldMs) recount();
    return new QuotaExceeded({ ...rule, used, cost });
  }

  function recount(): void {
    isAsked = true;
    wake();
  }

  async function keepCounted(): Promise<void> {
    while (!stop.signal.aborted) {
      const beganMs = clock.now().getTime();
      isAsked = false;
      await countOnce();
      const tookMs = clock.now().getTime() - beganMs; // or anything at all, if it was set meanwhile
      const pauseMs = Math.min(Math.max(0, pausePerCount * tookMs), longestPauseMs);
      await clock.sleep(pauseMs, call).catch(() => {}); // which ends the loop
      if (!isAsked && !stop.signal.aborted) await untilAsked();
    }
  }

  async function countOnce(): Promise<void> {
    try {
      await countRepositories(quotas, storage, call);
    } catch (error) {
      if (!isEchoOf(stop.signal, error)) logger.error("quotas could not be counted", { error });
      return;
    }
    for (const quota of quotas) {
      quota.endCount(clock.now());
      const { rule, used } = quota;
      logger.debug("a quota was counted", { ...rule, used });
    }
  }

  async function untilAsked(): Promise<void> {
    const timer = new AbortController();
    const asked = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const { signal } = timer;
    await Promise.race([asked, clock.sleep(rhythmMs, { signal }).catch(() => {})]);
    timer.abort();
  }
}
