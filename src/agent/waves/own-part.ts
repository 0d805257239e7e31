import { heldReason, pauseAt, pinAt, quarantineReason } from "../ledger/holds.ts";
import type { LedgerState } from "../ledger/ledger.ts";
import { type FleetRecord, type Member, type Rollout, withPart } from "./fleet-record.ts";

type State = Readonly<LedgerState>;

/** Whether a person keeps this host from installing anything. */
export function isAway(state: State, now: Date): boolean {
  return pauseAt(state, now) !== undefined || pinAt(state, now) !== undefined;
}

/** Whether the others have to be told that `self` is there, or has changed. */
export function isNews(known: Member | undefined, wanted: Omit<Member, "beat">): boolean {
  return !known || known.label !== wanted.label || known.away !== wanted.away;
}

/**
 * The record with what the ledger of this host says about each rollout. Nothing else is believed of a
 * host, so that a kill, a lost record, or a person who deploys in spite of all leave no false word.
 */
export function withOwnParts(
  record: FleetRecord,
  self: string,
  state: State,
  now: Date,
): FleetRecord {
  let next = record;
  for (const rollout of record.rollouts) {
    const before = rollout.hosts[self];
    const { tag, identity } = rollout;
    const bad = state.quarantined?.find((one) => one.tag === tag && one.identity === identity);
    if (bad && quarantineReason(state, bad)) {
      if (before?.state !== "bad") {
        next = withPart(next, rollout, self, { state: "bad", reason: bad.reason });
      }
    } else if (isActive(state, rollout)) {
      if (before?.state !== "good") next = withPart(next, rollout, self, { state: "good" });
    } else if (before?.state === "started" && heldReason(state, rollout, now)) {
      next = withPart(next, rollout, self, undefined);
    }
  }
  return next;
}

const isActive = ({ active }: State, { tag, identity }: Rollout): boolean =>
  active?.tag === tag && active.identity === identity;
