import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { type Choice, notInRegistry, type PassedOver } from "../choose/choose.ts";
import type { Wait } from "../choose/wait.ts";
import {
  identityKnownAs,
  pauseAt,
  phraseOf,
  pinRelease,
  releaseHolds,
  unpinRelease,
} from "../ledger/holds.ts";
import type { Ledger, LedgerState } from "../ledger/ledger.ts";
import { ControlError } from "./control-error.ts";
import type { Control, Outcome, Plan } from "./control-request.ts";
import { type DecisionName, decide, decideRetry, decideRollback, decisionOf } from "./decisions.ts";
import type { Rhythm } from "./rhythm.ts";
import type { Situation } from "./situation.ts";

/** What would be chosen now, were `state` in the ledger. Nobody is told, and nothing is changed. */
export type Look = (
  state: Readonly<LedgerState>,
  call: Call,
) => Promise<{ choice: Choice | undefined; passedOver: readonly PassedOver[] }>;

export interface Asking {
  by: string;
  reason?: string | undefined;
  urgent?: boolean;
}

export interface CommandParts {
  ledger: Pick<Ledger, "state" | "update">;
  clock: Clock;
  logger: Logger;
  rhythm: Rhythm;
  look: Look;
  situation(): Situation;
  /** Where the app has containers. */
  replicas(call: Call): Promise<Situation["replicas"]>;
  /** Why a release that was chosen is not to be installed yet. */
  waitOf(choice: Choice, call: Call): Promise<Wait | undefined>;
  /**
   * What is deployed while `work` runs is deployed by a person; `urgent`: no pause, no window and no age
   * counts, and no wait after a failure.
   */
  asked<Result>(asking: Asking, work: () => Promise<Result>): Promise<Result>;
}

/** What a running agent does when it is told to. */
export function controlOf(parts: CommandParts): Control {
  const { ledger, clock, logger, rhythm, look } = parts;
  return {
    async status(_asked, call) {
      const replicas = await parts.replicas(call);
      return { ...parts.situation(), ...(replicas && { replicas }) };
    },
    pin: (asked) => note("pin", asked),
    unpin: (asked) => note("unpin", asked),
    pause: (asked) => note("pause", asked),
    resume: (asked) => note("resume", asked),
    skip: (asked) => note("skip", asked),

    async plan(_asked, call) {
      const { choice, passedOver } = await look(ledger.state, call);
      return planOf(choice, passedOver, parts, call);
    },

    async retry(asked, call) {
      const { said } = decideRetry(ledger.state, asked);
      logger.info("Told to try again", { said, by: asked.by });
      await ledger.update((state) => decideRetry(state, asked).state);
      const { by = "somebody" } = asked;
      await parts.asked({ by }, () => rhythm.pass(call));
      return { said: `${said} ${afterPass(undefined, parts).said}` };
    },

    async deploy({ tag, now, ...by }, call) {
      if (!now) refusePaused(ledger.state, clock.now());
      const before = ledger.state;
      const asking = { ...by, urgent: now };
      if (tag === undefined) return passed(undefined, asking, call);
      const { choice: free } = await look(releaseHolds(unpinRelease(before), tag), call);
      const isNewest = free?.tag === tag;
      const decision = { tag, ...decisionOf({ reason: "dewy deploy", ...by }, clock.now()) };
      await ledger.update((state) =>
        isNewest ? releaseHolds(unpinRelease(state), tag) : pinRelease(state, decision),
      );
      const outcome = await orAsBefore(before, () => passed(tag, asking, call));
      if (isNewest) return outcome;
      return { ...outcome, said: `${outcome.said} It is pinned until dewy unpin.` };
    },

    async rollback(asked, call) {
      const before = ledger.state;
      const { tag, said } = decideRollback(before, asked, clock.now());
      logger.warn("Told to roll back", { to: tag, by: asked.by });
      const decision = { ...asked, tag };
      await ledger.update((state) => decideRollback(state, decision, clock.now()).state);
      const { by, reason } = asked;
      const asking = { by, reason, urgent: true };
      const outcome = await orAsBefore(before, () => passed(tag, asking, call));
      return { ...outcome, said };
    },
  };

  async function note<Name extends DecisionName>(
    name: Name,
    asked: Parameters<(typeof decide)[Name]>[1],
  ): Promise<Outcome> {
    const work = decide[name] as (
      state: LedgerState,
      asked: object,
      now: Date,
    ) => Outcome & {
      state: LedgerState;
    };
    let said = "";
    await ledger.update((state) => {
      const decided = work(state, asked, clock.now());
      said = decided.said;
      return decided.state;
    });
    logger.info("A person has decided", { decision: name, said, by: asked.by });
    rhythm.nudge();
    return { said };
  }

  async function passed(tag: string | undefined, asking: Asking, call: Call): Promise<Outcome> {
    await parts.asked(asking, () => rhythm.pass(call));
    return afterPass(tag, parts);
  }

  /** A pin on what cannot be had would hold the host for nothing. */
  async function orAsBefore(
    { pinned }: Readonly<LedgerState>,
    work: () => Promise<Outcome>,
  ): Promise<Outcome> {
    try {
      return await work();
    } catch (error) {
      await ledger.update((state) => {
        if (!pinned) return unpinRelease(state);
        const identity = identityKnownAs(state, pinned.tag) ?? pinned.identity;
        return { ...state, pinned: { ...pinned, ...(identity !== undefined && { identity }) } };
      });
      throw error;
    }
  }
}

function refusePaused(state: Readonly<LedgerState>, now: Date): void {
  const pause = pauseAt(state, now);
  if (!pause) return;
  throw new ControlError("REFUSED", `deployments are paused ${phraseOf(pause)}`, {
    hint: "call dewy resume, or deploy all the same by --now",
  });
}

/** How the pass has ended for `wanted`, or for what was chosen. @throws {ControlError} */
function afterPass(wanted: string | undefined, { situation }: CommandParts): Outcome {
  const { active, attempt, poll, waiting } = situation();
  const tag = wanted ?? poll?.tag;
  if (tag !== undefined && active?.tag === tag) return { tag, said: `${tag} is in service.` };
  if (tag !== undefined && attempt?.tag === tag && attempt.error !== undefined) {
    throw new ControlError("FAILED", `${tag} could not be deployed: ${attempt.error}`, {
      hint: active ? `${active.tag} is in service` : "look into the log of dewy",
    });
  }
  if (poll?.error) throw new ControlError("FAILED", poll.error, { hint: "try again later" });
  if (waiting) {
    const until = waiting.until ? `, until ${waiting.until}` : "";
    throw new ControlError("REFUSED", `${waiting.tag} waits: ${waiting.reason}${until}`, {
      hint: "deploy it all the same by dewy deploy --now",
    });
  }
  const passed = poll?.passedOver.find((each) => each.tag === (tag ?? each.tag));
  if (wanted !== undefined && passed?.reason === notInRegistry) {
    throw new ControlError("REFUSED", `${wanted} is neither in the registry nor on this host`, {
      hint: "look for its tag in dewy history, or where it was published",
    });
  }
  const why = passed ? `${passed.tag} is not taken: ${passed.reason}` : "no release was chosen";
  throw new ControlError("REFUSED", why, { hint: "dewy why says more" });
}

async function planOf(
  choice: Choice | undefined,
  passedOver: readonly PassedOver[],
  { ledger, clock, waitOf }: CommandParts,
  call: Call,
): Promise<Plan> {
  const { active, attempt } = ledger.state;
  const others = passedOver.map(({ tag, reason }) => ({ tag, reason }));
  const base = { passedOver: others, ...(active && { activeTag: active.tag }) };
  if (!choice) return { ...base, action: "none", said: "Nothing would be deployed." };
  const { tag, artifact } = choice;
  if (active?.tag === tag && active.identity === artifact.identity) {
    return { ...base, action: "none", tag, said: `${tag} would stay in service.` };
  }
  const pause = pauseAt(ledger.state, clock.now());
  const failed = attempt?.tag === tag && attempt.retryAt && clock.now() < new Date(attempt.retryAt);
  const reason = pause
    ? `deployments are paused ${phraseOf(pause)}`
    : ((await waitOf(choice, call))?.reason ??
      (failed && `it failed, and is tried again after ${attempt.retryAt}`));
  if (reason) return { ...base, action: "wait", tag, said: `${tag} would wait: ${reason}.` };
  const from = active ? ` in place of ${active.tag}` : "";
  const { name, sizeBytes } = artifact;
  const said = `${tag} would be deployed${from}, from ${name}.`;
  return { ...base, action: "deploy", tag, artifact: name, ...(sizeBytes && { sizeBytes }), said };
}
