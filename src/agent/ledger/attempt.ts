import { DewyError, messageOf } from "../../base/errors.ts";
import { type Backoff, backoffMs } from "../../base/retry.ts";
import type { Attempt, DecidedBy, DeployedRelease, LedgerState, Phase, Vote } from "./ledger.ts";
import { noteSigned } from "./signed.ts";
import { beginWatch, isUnsteady } from "./watch.ts";

const betweenFailures: Backoff = { firstMs: 10_000, maximumMs: 600_000 };
const longestErrorText = 1_000;
/** One kill is anybody's; the third in a row at the same release is the release's. */
const mostCutOff = 3;

/** A release that takes its agents down with it, as one may that eats all memory. */
export class CutOffError extends DewyError<"CUT_OFF"> {}

/** What is tried: the same tag with another identity is another release. */
export interface Target {
  tag: string;
  identity: string;
  artifact: string;
}

/** Notes that `target` is being tried; its earlier failures count on, and who was killed at it. */
export function beginAttempt(
  state: Readonly<LedgerState>,
  target: Target,
  now: Date,
  by?: DecidedBy,
): LedgerState {
  const same = isSame(state.attempt, target) ? state.attempt : undefined;
  const { tag, identity, artifact } = target;
  const cutOff = same?.retryAt === undefined ? same?.cutOff : undefined;
  const faults = same?.faults;
  const counts = {
    failures: same?.failures ?? 0,
    ...(faults && { faults }),
    ...(cutOff && { cutOff }),
  };
  const attempt = { tag, identity, artifact, phase: "fetch" as const, ...counts };
  return { ...state, attempt: { ...attempt, startedAt: now.toISOString(), ...(by && { by }) } };
}

/** Notes what an agent before has left: it was killed where that was being started, and had not failed. */
export function noteCutOff(state: Readonly<LedgerState>): LedgerState {
  const { attempt } = state;
  if (attempt?.phase !== "start" || attempt.retryAt !== undefined || attempt.vote) return state;
  return leaveAttempt({ ...state, attempt: { ...attempt, cutOff: (attempt.cutOff ?? 0) + 1 } });
}

/** @throws {CutOffError} when too many agents have been killed while the release was started */
export function confirmHarmless(attempt: Attempt | undefined): void {
  const { tag, cutOff = 0 } = attempt ?? {};
  if (cutOff < mostCutOff) return;
  const hint =
    "look for a lack of memory: journalctl -k, and MemoryMax= and OOMPolicy= of the unit";
  const message = `${cutOff} agents in a row were killed while ${tag} was started`;
  throw new CutOffError("CUT_OFF", message, { hint });
}

/** Notes that the agent ends by itself: what is left undone has not killed it. */
export function leaveAttempt(state: Readonly<LedgerState>): LedgerState {
  return state.attempt?.phase === "start" ? advanceAttempt(state, "switch") : state;
}

/** Notes how far the attempt has come, and where its files are. */
export function advanceAttempt(
  state: Readonly<LedgerState>,
  phase: Phase,
  directory?: string,
): LedgerState {
  if (!state.attempt) return state;
  const place = directory === undefined ? {} : { directory };
  return { ...state, attempt: { ...state.attempt, phase, ...place } };
}

/** Notes that the release has proved itself, and where its group will decide about it. */
export function noteVote(state: Readonly<LedgerState>, vote: Vote): LedgerState {
  return state.attempt ? { ...state, attempt: { ...state.attempt, vote } } : state;
}

export interface FailureDetails {
  /** The least time until it may be tried again. */
  waitMs?: number;
  /** Whether it was the release's own fault, and not that of the world around it. */
  isFault?: boolean;
}

/** Notes that the attempt failed, and when it may be tried again. */
export function failAttempt(
  state: Readonly<LedgerState>,
  error: unknown,
  now: Date,
  { waitMs = 0, isFault = false }: FailureDetails = {},
): LedgerState {
  if (!state.attempt) return state;
  const { vote: _over, ...tried } = state.attempt;
  const failures = tried.failures + 1;
  const pauseMs = Math.max(waitMs, backoffMs(betweenFailures, failures));
  const attempt = {
    ...tried,
    failures,
    ...(isFault && { faults: (tried.faults ?? 0) + 1 }),
    error: messageOf(error).slice(0, longestErrorText),
    retryAt: new Date(now.getTime() + pauseMs).toISOString(),
  };
  return { ...state, attempt };
}

/**
 * Whether `target` may be tried at `now`: it has not just failed, or has waited long enough. After
 * the clock was set back to before the attempt, nobody knows, and it is tried.
 */
export function isDue(
  state: Readonly<LedgerState>,
  target: Pick<Target, "tag" | "identity">,
  now: Date,
): boolean {
  if (!isSame(state.attempt, target) || state.attempt.retryAt === undefined) return true;
  return now >= new Date(state.attempt.retryAt) || now < new Date(state.attempt.startedAt);
}

/**
 * Makes `release` the active one, and the one before it the last good one. Committing what is
 * already active again, as after a restart, does not lose the last good one.
 */
export function commitRelease(state: Readonly<LedgerState>, release: DeployedRelease): LedgerState {
  const { attempt: _done, active, lastGood, releases, ...rest } = state;
  const before = active?.directory === release.directory ? lastGood : active;
  const others = releases.filter(({ directory }) => directory !== release.directory);
  const previous = before === undefined ? {} : { lastGood: before };
  return { ...rest, active: release, ...previous, releases: [release, ...others] };
}

/** Commits what the attempt has come to, and notes that nobody has been told yet. */
export function commitDeployment(
  state: Readonly<LedgerState>,
  release: DeployedRelease,
  now: Date,
): LedgerState {
  const known = noteSigned(state, release, now);
  const committed = beginWatch(commitOver(known, release, now), release, now);
  if (!state.attempt) return committed;
  const { startedAt, by } = state.attempt;
  const previousTag = state.active?.tag;
  const previous = previousTag === undefined ? {} : { previousTag };
  const untold = { release, ...previous, startedAt, committedAt: now.toISOString() };
  return { ...committed, untold: { ...untold, ...(by && { by }) } };
}

/** What dies all the time is not the last good one, which stays what it was. */
function commitOver(
  state: Readonly<LedgerState>,
  release: DeployedRelease,
  now: Date,
): LedgerState {
  const committed = commitRelease(state, release);
  const { lastGood } = state;
  if (!lastGood || lastGood.directory === release.directory) return committed;
  return isUnsteady(state, now) ? { ...committed, lastGood } : committed;
}

/** Notes that everybody has been told of the last deployment. */
export function forgetUntold({ untold: _told, ...rest }: Readonly<LedgerState>): LedgerState {
  return rest;
}

/**
 * Forgets the releases that are not among `directories`. What is active or the last good one is
 * there: the last good one is active when the active one has gone, so that it is deployed again.
 */
export function keepReleases(
  state: Readonly<LedgerState>,
  directories: readonly string[],
): LedgerState {
  const { active, lastGood, releases, ...rest } = state;
  const isThere = (release: DeployedRelease) => directories.includes(release.directory);
  const [first, second] = [active, lastGood].filter((release) => release && isThere(release));
  return {
    ...rest,
    ...(first && { active: first }),
    ...(second && { lastGood: second }),
    releases: releases.filter(isThere),
  };
}

function isSame(
  attempt: Attempt | undefined,
  { tag, identity }: Pick<Target, "tag" | "identity">,
): attempt is Attempt {
  return attempt?.tag === tag && attempt.identity === identity;
}
