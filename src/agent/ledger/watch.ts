import { heldReason, pinAt, quarantine } from "./holds.ts";
import type { DecisionAboutRelease, DeployedRelease, LedgerState } from "./ledger.ts";

/** How a release is judged by its deaths once it is committed. */
export interface WatchRules {
  /** So many end it. */
  crashLimit: number;
  /** Since the commit; 0 for not at all. */
  watchMs: number;
}

type State = Readonly<LedgerState>;

/** A release whose last death is so recent has not recovered from it. */
const unsteadyMs = 120_000;
/** More are no other verdict: it is the largest limit. */
const mostDeaths = 1_000;

/** Counts the deaths of `release` from now on. */
export function beginWatch(state: State, { directory }: DeployedRelease, now: Date): LedgerState {
  return { ...state, watch: { directory, from: now.toISOString(), deaths: [] } };
}

/** Notes that what is in service has died. What is not watched, or was for long enough, is left alone. */
export function noteDeath(state: State, { watchMs }: WatchRules, now: Date): LedgerState {
  const { watch, active } = state;
  if (!watch || watch.directory !== active?.directory) return state;
  if (now.getTime() - new Date(watch.from).getTime() >= watchMs) return state;
  const deaths = [...watch.deaths, now.toISOString()].slice(-mostDeaths);
  return { ...state, watch: { ...watch, deaths } };
}

/** Whether what is in service was told to prove itself at `now`, and has died just before. */
export function isUnsteady({ watch, active }: State, now: Date): boolean {
  const last = watch?.directory === active?.directory ? watch?.deaths.at(-1) : undefined;
  return last !== undefined && now.getTime() - new Date(last).getTime() < unsteadyMs;
}

export interface Verdict {
  bad: DeployedRelease;
  deaths: number;
  /** Who wants it in service, whatever it does. */
  pin: DecisionAboutRelease | undefined;
}

/** What is in service and has died as often as it may. */
export function verdictOf(state: State, rules: WatchRules, now: Date): Verdict | undefined {
  const { watch, active } = state;
  if (!active || watch?.directory !== active.directory) return undefined;
  if (watch.deaths.length < rules.crashLimit) return undefined;
  const pin = pinAt(state, now);
  return {
    bad: active,
    deaths: watch.deaths.length,
    pin: pin?.tag === active.tag ? pin : undefined,
  };
}

/** Those that could be gone back to, the last good one first: none that anybody holds. */
export function goodReleases(state: State, now: Date): DeployedRelease[] {
  const { active, lastGood, releases } = state;
  const others = releases.filter(({ directory }) => directory !== lastGood?.directory);
  return [...(lastGood ? [lastGood] : []), ...others].filter(
    (release) =>
      release.directory !== active?.directory && heldReason(state, release, now) === undefined,
  );
}

/**
 * Makes `good` the active release and puts the one before it into quarantine. The one that was gone
 * back to is not watched: it has proved itself, and there is no end to going back otherwise.
 */
export function takeBack(
  state: State,
  good: DeployedRelease,
  { bad, deaths, reason, logTail }: Verdict & { reason: string; logTail: readonly string[] },
  now: Date,
): LedgerState {
  const at = now.toISOString();
  const { tag, identity } = bad;
  const {
    watch: _over,
    lastGood: _it,
    ...rest
  } = quarantine(state, {
    ...{ tag, identity, reason, at, failures: deaths, logTail: [...logTail] },
  });
  const untoldReturn = { bad, good, reason, deaths, at };
  return { ...rest, active: { ...good, since: at }, untoldReturn };
}

/** Notes that everybody has been told of the last way back. */
export function forgetReturn({ untoldReturn: _told, ...rest }: State): LedgerState {
  return rest;
}

/** Makes it as it was `before`, and leaves alone what a person has decided meanwhile. */
export function undoTakeBack(
  state: State,
  { active, lastGood, watch, quarantined }: State,
): LedgerState {
  return { ...forgetReturn(state), active, lastGood, watch, quarantined };
}
