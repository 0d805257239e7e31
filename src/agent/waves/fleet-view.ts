import type { FleetRecord, Rolled } from "./fleet-record.ts";

/**
 * How long this process has seen something to be so, by a clock that is never set. What it could not
 * look at for a while, it has not seen to be so in that while.
 */
export interface FleetView {
  look(record: FleetRecord): void;
  /** Since the last sign of life; `undefined` for who is no member. */
  silentMs(id: string): number | undefined;
  /** Since this record was seen first. */
  knownMs(): number;
  /** Since `fact` about a rollout was asked for first, and not forgotten. */
  sinceMs(of: Rolled, fact: string): number;
  forget(of: Rolled, fact: string): void;
}

export function openFleetView(longestGapMs: number, nowMs: () => number): FleetView {
  const beats = new Map<string, { beat: number; atMs: number }>();
  const facts = new Map<string, Map<string, number>>();
  let epoch: { name: string; atMs: number } | undefined;
  let lastMs = nowMs();

  return {
    look({ epoch: name, members, rollouts }) {
      const now = nowMs();
      if (now - lastMs > longestGapMs) leaveOut(now - lastMs);
      lastMs = now;
      if (epoch?.name !== name) epoch = { name, atMs: now };
      for (const [id, { beat }] of Object.entries(members)) {
        if (beats.get(id)?.beat !== beat) beats.set(id, { beat, atMs: now });
      }
      for (const id of beats.keys()) if (!Object.hasOwn(members, id)) beats.delete(id);
      const known = new Set(rollouts.map(keyOf));
      for (const key of facts.keys()) if (!known.has(key)) facts.delete(key);
    },

    silentMs(id) {
      const seen = beats.get(id);
      return seen && nowMs() - seen.atMs;
    },

    knownMs: () => (epoch ? nowMs() - epoch.atMs : 0),

    sinceMs(of, fact) {
      const now = nowMs();
      const own = facts.get(keyOf(of)) ?? new Map<string, number>();
      facts.set(keyOf(of), own);
      const sinceMs = own.get(fact) ?? now;
      own.set(fact, sinceMs);
      return now - sinceMs;
    },

    forget(of, fact) {
      facts.get(keyOf(of))?.delete(fact);
    },
  };

  function leaveOut(gapMs: number): void {
    for (const seen of beats.values()) seen.atMs += gapMs;
    for (const own of facts.values()) for (const [fact, ms] of own) own.set(fact, ms + gapMs);
    if (epoch) epoch.atMs += gapMs;
  }
}

const keyOf = ({ tag, identity }: Rolled): string => `${tag}\n${identity}`;
