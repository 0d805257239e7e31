import {
  identityKnownAs,
  pauseDeployments,
  pinAt,
  pinRelease,
  releaseHolds,
  resumeDeployments,
  skipRelease,
  unpinRelease,
} from "../ledger/holds.ts";
import type { Decision, LedgerState } from "../ledger/ledger.ts";
import { ControlError } from "./control-error.ts";
import type { RequestOf } from "./control-request.ts";

type State = Readonly<LedgerState>;

/** The decisions that are notes in the ledger, and hold whether an agent runs or not. */
export type DecisionName = "pin" | "unpin" | "pause" | "resume" | "skip";

/** What the ledger holds after it, and the sentence for whoever decided. */
export interface Decided {
  state: LedgerState;
  said: string;
}

/**
 * Takes a person's decision down. It holds until another one, through restarts, whatever is published.
 *
 * @throws {ControlError} `REFUSED` where it has no meaning
 */
export const decide: {
  [Name in DecisionName]: (state: State, asked: RequestOf<Name>, now: Date) => Decided;
} = {
  pin: (state, { tag, ...by }, now) => ({
    state: pinRelease(state, { ...pinnedAs(state, tag), ...decisionOf(by, now) }),
    said: `${tag} is pinned: nothing else is deployed until dewy unpin.`,
  }),

  unpin(state, _asked, now) {
    const { tag } = pinAt(state, now) ?? {};
    if (tag === undefined) throw new ControlError("REFUSED", "no release is pinned");
    return {
      state: unpinRelease(state),
      said: `${tag} is pinned no more: the newest release is followed again.`,
    };
  },

  pause(state, { forMs, ...by }, now) {
    const until = forMs === undefined ? undefined : new Date(now.getTime() + forMs).toISOString();
    const end = until ? `${until.slice(0, 19)}Z, or dewy resume` : "dewy resume";
    const decision = { ...decisionOf(by, now), ...(until && { until }) };
    return {
      state: pauseDeployments(state, decision),
      said: `Deployments are paused until ${end}.`,
    };
  },

  resume(state) {
    if (!state.paused) throw new ControlError("REFUSED", "deployments are not paused");
    return { state: resumeDeployments(state), said: "Deployments go on." };
  },

  skip(state, { tag, ...by }, now) {
    if (state.active?.tag === tag) {
      throw new ControlError("REFUSED", `${tag} is in service`, {
        hint: "go back to the one before it by dewy rollback, which keeps it away as well",
      });
    }
    return {
      state: skipRelease(state, { tag, ...decisionOf(by, now) }),
      said: `${tag} is skipped: dewy retry ${tag} takes that back.`,
    };
  },
};

/**
 * Lets a release be tried again that failed, is in quarantine or was skipped: the one that is named, or
 * the one that failed last.
 */
export function decideRetry(state: State, { tag: named }: RequestOf<"retry">): Decided {
  const failed = state.attempt?.error === undefined ? undefined : state.attempt.tag;
  const tag = named ?? failed ?? state.quarantined?.[0]?.tag;
  if (tag === undefined) {
    throw new ControlError("REFUSED", "no release has failed", {
      hint: "name the one to try, as in: dewy retry v1.2.0",
    });
  }
  const held = [state.attempt, ...(state.quarantined ?? []), ...(state.skipped ?? [])];
  if (!held.some((release) => release?.tag === tag)) {
    throw new ControlError("REFUSED", `${tag} has neither failed nor been skipped`, {
      hint: `deploy it by: dewy deploy ${tag}`,
    });
  }
  return { state: releaseHolds(state, tag), said: `${tag} may be tried again.` };
}

/**
 * Pins the release to go back to: the one that is named, or the last good one.
 *
 * @throws {ControlError} `REFUSED` when there is none, or it runs already
 */
export function decideRollback(
  state: State,
  { tag: named, ...by }: RequestOf<"rollback">,
  now: Date,
): Decided & { tag: string } {
  const { active, lastGood, releases } = state;
  const unfit = [active, ...(state.quarantined ?? [])].map((release) => release?.tag);
  const known = releases.map(({ tag }) => tag).filter((tag) => !unfit.includes(tag));
  const choices = known.length > 0 ? `choose from: ${known.join(", ")}` : "deploy one first";
  if (named === undefined && active && pinAt(state, now)?.tag === active.tag) {
    throw new ControlError("REFUSED", `${active.tag} is pinned, so it is not said where to go`, {
      hint: `name a release; ${choices}`,
    });
  }
  const tag = named ?? lastGood?.tag;
  if (tag === undefined || tag === active?.tag) {
    const what = tag === undefined ? "there is no release to go back to" : `${tag} is in service`;
    throw new ControlError("REFUSED", what, { hint: choices });
  }
  const reason = by.reason ?? `rollback from ${active?.tag ?? "nothing"}`;
  return {
    tag,
    state: pinRelease(state, {
      ...pinnedAs(state, tag),
      ...decisionOf({ ...by, reason }, now),
    }),
    said: `${tag} is in service and pinned: newer releases wait until dewy unpin.`,
  };
}

function pinnedAs(state: State, tag: string): { tag: string; identity?: string } {
  const identity = identityKnownAs(state, tag);
  return { tag, ...(identity !== undefined && { identity }) };
}

export function decisionOf(
  { by, reason }: { by: string; reason?: string | undefined },
  now: Date,
): Decision {
  return { by, at: now.toISOString(), ...(reason && { reason }) };
}
