import { type FleetRecord, hostOf, type Rollout, withRolloutChanged } from "./fleet-record.ts";
import type { FleetView } from "./fleet-view.ts";
import { isTooMuch, standing, type WaveRules } from "./gate.ts";

/** A rollout that this host has halted, or let go on. */
export interface Turned {
  rollout: Rollout;
  halted: boolean;
}

/**
 * Halts each rollout that has been bad, or was never heard of again, on too many hosts; and lets one
 * go on when that is no longer so, as after a `dewy retry` that went well.
 */
export function withHalts(
  record: FleetRecord,
  rules: WaveRules,
  view: FleetView,
  self: string,
): { record: FleetRecord; turned: Turned[] } {
  const turned: Turned[] = [];
  let next = record;
  for (const rollout of record.rollouts) {
    const by = haltedBy(record, rollout, rules, view, self);
    if ((by === undefined) === (rollout.haltedBy === undefined)) continue;
    next = withRolloutChanged(next, rollout, ({ haltedBy: _, ...rest }) => ({
      ...rest,
      ...(by && { haltedBy: by }),
    }));
    turned.push({ rollout: { ...rollout, ...(by && { haltedBy: by }) }, halted: by !== undefined });
  }
  return { record: next, turned };
}

/**
 * Once halted, only what those hosts themselves have said since counts: who was lost may seem alive to
 * a process that has just started.
 */
function haltedBy(
  record: FleetRecord,
  rollout: Rollout,
  rules: WaveRules,
  view: FleetView,
  self: string,
): string[] | undefined {
  const { bad, lost } = standing(record, rollout, rules, view, self);
  const before = rollout.haltedBy ?? [];
  const silent = before.filter((id) => rollout.hosts[id]?.state === "started");
  const away = [...new Set([...lost, ...silent])];
  const isHalted = isTooMuch({ bad: bad.length, lost: away.length }, rules.failureLimit);
  return isHalted ? [...bad, ...away] : undefined;
}

/** `it was bad on host-3: …`, or how it was lost. */
export function haltReason({ hosts, haltedBy = [] }: Rollout): string {
  const bad = haltedBy.find((id) => hosts[id]?.state === "bad");
  const others = haltedBy.length > 1 ? `, and ${haltedBy.length - 1} more` : "";
  if (bad === undefined) {
    const names = haltedBy.slice(0, 3).map(hostOf).join(", ");
    return `${names} fell silent while they installed it`;
  }
  return `it was bad on ${hostOf(bad)}${others}: ${hosts[bad]?.reason ?? "for no known reason"}`;
}
