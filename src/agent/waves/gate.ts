import { type FleetRecord, hostOf, type Rollout } from "./fleet-record.ts";
import type { FleetView } from "./fleet-view.ts";
import { wavesOf } from "./places.ts";
import type { WavePlan } from "./wave-plan.ts";

export interface WaveRules {
  plan: WavePlan;
  /** So many hosts on which it was bad end it for all others. */
  failureLimit: number;
  /** For so long a wave has to be good before the next one begins. */
  soakMs: number;
  /** Who is silent for so long is not waited for. */
  timeoutMs: number;
}

export interface Gate {
  /** Why `self` may not install it now; `undefined` when it may. */
  reason: string | undefined;
  /** How long it takes at least, where that is known. */
  leftMs?: number;
}

const namedHosts = 3;

/** Whether `self`, which has not begun, is in a wave whose turn it is. */
export function gateFor(
  self: string,
  record: FleetRecord,
  rollout: Rollout,
  rules: WaveRules,
  view: FleetView,
): Gate {
  const waves = wavesNow(self, record, rollout, rules, view);
  const own = waves.findIndex((wave) => wave.includes(self));
  const before = waves.slice(0, own).flat();
  if (before.length === 0) return { reason: undefined };
  const { plan, soakMs } = rules;
  const name = `wave ${own + 1} of ${plan.length} (${plan[own]?.text})`;
  const open = firstOpen(waves, rollout);
  if (open < own) {
    const blockers = (waves[open] ?? []).filter((id) => rollout.hosts[id]?.state !== "good");
    return { reason: `${name} waits for ${named(blockers, rollout)} of wave ${open + 1}` };
  }
  const soakedMs = view.sinceMs(rollout, `open ${own}`);
  if (soakedMs >= soakMs) return { reason: undefined };
  const leftMs = soakMs - soakedMs;
  return { reason: `${name} waits to see whether the wave before it stays good`, leftMs };
}

/** The first wave that is not good, or the number of them. */
function firstOpen(waves: readonly string[][], { hosts }: Rollout): number {
  const found = waves.findIndex((wave) => wave.some((id) => hosts[id]?.state !== "good"));
  return found < 0 ? waves.length : found;
}

/**
 * The waves as they are seen now. Who is alive and does not begin, though it is its turn, has its
 * reasons (a window, a person): after a while the others go on without it.
 */
function wavesNow(
  self: string,
  record: FleetRecord,
  rollout: Rollout,
  rules: WaveRules,
  view: FleetView,
): string[][] {
  const { begun, waiting } = standing(record, rollout, rules, view, self);
  const labelOf = (id: string) => record.members[id]?.label;
  const patienceMs = rules.timeoutMs + rules.soakMs;
  for (let left = waiting; ; ) {
    const waves = wavesOf(rules.plan, { begun, waiting: left, labelOf }, rollout);
    const open = firstOpen(waves, rollout);
    noteOpen(waves, open, rollout, view);
    const late = (waves[open] ?? []).filter(
      (id) =>
        id !== self &&
        !Object.hasOwn(rollout.hosts, id) &&
        view.sinceMs(rollout, `turn of ${id}`) >= patienceMs,
    );
    if (late.length === 0) return waves;
    left = left.filter((id) => !late.includes(id));
  }
}

/** Since when each wave has had nothing to wait for. */
function noteOpen(waves: readonly string[][], open: number, of: Rollout, view: FleetView): void {
  for (const index of waves.keys()) {
    if (index <= open) view.sinceMs(of, `open ${index}`);
    else view.forget(of, `open ${index}`);
  }
}

export interface Standing {
  begun: string[];
  waiting: string[];
  bad: string[];
  /** They had begun, and were heard of no more. */
  lost: string[];
}

/** Another host takes the place of one on which it was bad, or which was lost. */
export function standing(
  { members }: FleetRecord,
  { hosts }: Rollout,
  { timeoutMs }: Pick<WaveRules, "timeoutMs">,
  view: FleetView,
  self: string,
): Standing {
  const isAlive = (id: string) => id === self || (view.silentMs(id) ?? Infinity) < timeoutMs;
  const found: Standing = { begun: [], waiting: [], bad: [], lost: [] };
  for (const [id, { state }] of Object.entries(hosts)) {
    if (state === "bad") found.bad.push(id);
    else if (state === "good") found.begun.push(id);
    else if (!isAlive(id)) found.lost.push(id);
    else if (!members[id]?.away) found.begun.push(id);
  }
  for (const [id, { away }] of Object.entries(members)) {
    if (!Object.hasOwn(hosts, id) && (id === self || (!away && isAlive(id)))) {
      found.waiting.push(id);
    }
  }
  return found;
}

/** One host that falls silent while it installs may be chance; one more is none. */
export function isTooMuch({ bad, lost }: { bad: number; lost: number }, limit: number): boolean {
  return bad >= limit || bad + lost > limit;
}

function named(ids: readonly string[], { hosts }: Rollout): string {
  const shown = ids.slice(0, namedHosts).map((id) => {
    const doing = Object.hasOwn(hosts, id) ? "installs it" : "has not begun";
    return `${hostOf(id)} (${doing})`;
  });
  const more = ids.length - shown.length;
  return more > 0 ? `${shown.join(", ")} and ${more} more` : shown.join(", ");
}
