import type {
  Decision,
  DecisionAboutRelease,
  LedgerState,
  PinnedRelease,
  QuarantinedRelease,
} from "./ledger.ts";

const longestReason = 1_000;
const longestTail = 50;
const longestTailLine = 500;
/** Older ones are tags that nobody publishes any more. */
const mostQuarantined = 50;

type State = Readonly<LedgerState>;
type Identified = Pick<QuarantinedRelease, "tag" | "identity">;

/** Keeps a release that failed from being tried again; its end is `releaseHolds`. */
export function quarantine(state: State, entry: QuarantinedRelease): LedgerState {
  const logTail = entry.logTail.slice(-longestTail).map((line) => line.slice(0, longestTailLine));
  const { tag, identity, at, failures } = entry;
  const reason = entry.reason.slice(0, longestReason);
  const bounded = { tag, identity, reason, at, failures, logTail };
  const others = (state.quarantined ?? []).filter((other) => other.tag !== tag);
  return { ...state, quarantined: [bounded, ...others].slice(0, mostQuarantined) };
}

/**
 * Lets a release be tried again at once, whatever held it: the quarantine, a skip, or the wait after a
 * failure.
 */
export function releaseHolds(state: State, tag: string): LedgerState {
  const { quarantined, skipped, attempt, ...rest } = state;
  const [held, passed] = [without(quarantined, tag), without(skipped, tag)];
  return {
    ...rest,
    ...(attempt && attempt.tag !== tag && { attempt }),
    ...(held && { quarantined: held }),
    ...(passed && { skipped: passed }),
  };
}

/** Passes a release over. One that was pinned is so no more: the newest word counts. */
export function skipRelease(state: State, decision: DecisionAboutRelease): LedgerState {
  const base = state.pinned?.tag === decision.tag ? unpinRelease(state) : state;
  return { ...base, skipped: [decision, ...(without(base.skipped, decision.tag) ?? [])] };
}

/** Keeps the host on one release, which is tried again at once where it was held. */
export function pinRelease(state: State, decision: PinnedRelease): LedgerState {
  return { ...releaseHolds(state, decision.tag), pinned: decision };
}

/** What this host knows by `tag`: the release in service, or one that is still on the disk. */
export function identityKnownAs({ active, releases }: State, tag: string): string | undefined {
  return [active, ...releases].find((release) => release?.tag === tag)?.identity;
}

/** Notes which bytes a pin means, at their first sight; later ones under the same tag are others. */
export function notePinned(state: State, { tag, identity }: Identified): LedgerState {
  const { pinned } = state;
  if (!pinned || pinned.tag !== tag || pinned.identity !== undefined) return state;
  return { ...state, pinned: { ...pinned, identity } };
}

/** Why `release` is not the one that is pinned, though it has its tag. */
export function notPinnedReason(state: State, release: Identified, now: Date): string | undefined {
  const pin = pinAt(state, now);
  if (pin?.identity === undefined || pin.tag !== release.tag) return undefined;
  if (pin.identity === release.identity) return undefined;
  const { tag } = pin;
  return `${tag} was published again, and is pinned as it was, ${phraseOf(pin)}; dewy deploy ${tag} takes it as it is now`;
}

export function unpinRelease({ pinned: _, ...rest }: State): LedgerState {
  return rest;
}

/** Nothing is deployed until it ends; what is new is still seen. */
export function pauseDeployments(state: State, decision: Decision): LedgerState {
  return { ...state, paused: decision };
}

export function resumeDeployments({ paused: _, ...rest }: State): LedgerState {
  return rest;
}

/** The pin that holds at `now`. */
export function pinAt({ pinned }: State, now: Date): PinnedRelease | undefined {
  return pinned && holdsAt(pinned, now) ? pinned : undefined;
}

/** The pause that holds at `now`. */
export function pauseAt({ paused }: State, now: Date): Decision | undefined {
  return paused && holdsAt(paused, now) ? paused : undefined;
}

/** Why a person wants the release with this tag passed over at `now`. */
export function skipReason({ skipped }: State, tag: string, now: Date): string | undefined {
  const decision = skipped?.find((one) => one.tag === tag && holdsAt(one, now));
  return decision && `skipped ${phraseOf(decision)}`;
}

/** Why it is in quarantine. The same tag with other bytes is another release, and is not. */
export function quarantineReason(state: State, release: Identified): string | undefined {
  const entry = state.quarantined?.find((one) => isSame(one, release));
  if (!entry) return undefined;
  const times = entry.failures === 1 ? "once" : `${entry.failures} times`;
  return `in quarantine since ${toSecond(entry.at)}, failed ${times}: ${entry.reason}`;
}

/** Why `release` is not to be tried at `now`, whoever says so. */
export function heldReason(state: State, release: Identified, now: Date): string | undefined {
  const pin = pinAt(state, now);
  if (pin && pin.tag !== release.tag) return `${pin.tag} is pinned ${phraseOf(pin)}`;
  const skip = pin ? undefined : skipReason(state, release.tag, now);
  return skip ?? notPinnedReason(state, release, now) ?? quarantineReason(state, release);
}

/** `by alice at 2026-11-29T06:00:00Z, until …: reason` */
export function phraseOf({ by, at, reason, until }: Decision): string {
  const end = until === undefined ? "" : `, until ${toSecond(until)}`;
  return `by ${by} at ${toSecond(at)}${end}${reason === undefined ? "" : `: ${reason}`}`;
}

/** An ISO time, for people. */
const toSecond = (time: string): string => time.replace(/\.\d+Z$/, "Z");

function holdsAt({ until }: Decision, now: Date): boolean {
  return until === undefined || now < new Date(until);
}

function without<Entry extends { tag: string }>(
  entries: readonly Entry[] | undefined,
  tag: string,
): Entry[] | undefined {
  const left = entries?.filter((entry) => entry.tag !== tag) ?? [];
  return left.length > 0 ? left : undefined;
}

function isSame(one: Identified, other: Identified): boolean {
  return one.tag === other.tag && one.identity === other.identity;
}
