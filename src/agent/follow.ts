import { type Call, isEchoOf, withTimeout } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { backoffMs } from "../base/retry.ts";
import type { Choice } from "./choose/choose.ts";
import type { Wait } from "./choose/wait.ts";
import type { Observe } from "./event.ts";
import { isFinalFault, isReleaseFault, logTailOf } from "./fault.ts";
import { beginAttempt, failAttempt, isDue, leaveAttempt, type Target } from "./ledger/attempt.ts";
import { heldReason, pauseAt, quarantine } from "./ledger/holds.ts";
import type { DecidedBy, Ledger } from "./ledger/ledger.ts";
import { ReleaseRegistryError } from "./release.ts";

const pollTimeoutMs = 60_000;
const pollBackoff = { firstMs: 5_000, maximumMs: 300_000 };
/** Who asks for more is wrong, or this host's clock is; GitHub's limits begin anew each hour. */
const longestAskedMs = 3_600_000;

export interface FollowParts {
  /** The release that should run now; `undefined` when there is none yet. */
  choose(call: Call): Promise<Choice | undefined>;
  /** Why the last choice was made among old answers, if it was; who shares them has logged it. */
  outage?(): Error | undefined;
  /** Takes it into service, or leaves everything as it was and throws. */
  deploy(choice: Choice, call: Call): Promise<unknown>;
  /** Puts what `current` names into service when nothing runs. */
  keepRunning(call: Call): Promise<void>;
  ledger: Ledger;
  clock: Clock;
  logger: Logger;
  observe: Observe;
  intervalMs: number;
  /** Whether a person wants a release at once, in spite of a pause and of what has failed. */
  isUrgent?(): boolean;
  /** Why the choice is not to be installed yet. */
  waits?(choice: Choice, call: Call): Promise<Wait | undefined>;
  /** How often a release may fail by its own fault, before it is tried no more; 3. */
  failureLimit?: number;
  /** What has made the agent deploy it. */
  decidedBy?(choice: Choice): DecidedBy;
  /** Between two polls, for as long as it is told or until somebody asks for one. */
  rest?(ms: number, call: Call): Promise<void>;
}

const defaultFailureLimit = 3;

/** What has gone wrong since all was well. */
interface Ailments {
  /** Polls in a row. */
  polls: number;
  /** Of the last poll that failed; the same one is not said again. */
  lastMessage: string;
  /** Polls and deployments. */
  all: number;
  /** Why the ledger could not be written, such as a full disk; said once. */
  ledgerMessage: string;
}

/**
 * Deploys the newest release whenever it changes, until `signal` aborts.
 *
 * A poll that fails is logged once and the next one tries again, later and later: a registry that is
 * down costs staleness, never the process.
 */
export async function follow(parts: FollowParts, call: Call): Promise<never> {
  const ailments: Ailments = { polls: 0, lastMessage: "", all: 0, ledgerMessage: "" };
  for (;;) {
    await parts.keepRunning(call);
    const waitMs = await poll(parts, ailments, call);
    await (parts.rest ? parts.rest(waitMs, call) : parts.clock.sleep(waitMs, call));
  }
}

/** @returns how long to wait before the next one. */
async function poll(parts: FollowParts, ailments: Ailments, call: Call): Promise<number> {
  const { logger, observe, intervalMs } = parts;
  const began = performance.now();
  let choice: Choice | undefined;
  try {
    choice = await withTimeout("asking the release registry", pollTimeoutMs, call, parts.choose);
  } catch (error) {
    if (isEchoOf(call.signal, error)) throw error;
    failedPoll(error, parts, ailments);
    return Math.max(intervalMs, askedMs(error), backoffMs(pollBackoff, ailments.polls));
  }
  const outage = parts.outage?.();
  if (outage) countFailure(outage, parts, ailments);
  else {
    observe({ type: "polled", durationMs: performance.now() - began, tag: choice?.tag });
    if (ailments.polls > 0) logger.info("Current recovered", { failures: ailments.polls });
    Object.assign(ailments, { polls: 0, lastMessage: "" });
  }
  if (!(await isWell(choice, parts, ailments, call))) ailments.all++;
  else if (!outage) recovered(parts, ailments);
  return jittered(intervalMs);
}

function failedPoll(error: unknown, parts: FollowParts, ailments: Ailments): void {
  const level = messageOf(error) === ailments.lastMessage ? "debug" : "error";
  ailments.lastMessage = messageOf(error);
  countFailure(error, parts, ailments);
  parts.logger[level]("Current failure", { error, failures: ailments.polls });
}

function countFailure(error: unknown, { observe }: FollowParts, ailments: Ailments): void {
  ailments.polls++;
  ailments.all++;
  observe({ type: "poll failed", error, failures: ailments.polls });
}

function recovered({ observe }: FollowParts, ailments: Ailments): void {
  if (ailments.all > 0) observe({ type: "recovered", failures: ailments.all });
  ailments.all = 0;
}

/** Whether the host runs what was chosen, or nothing is wrong in that it does not. */
async function isWell(
  choice: Choice | undefined,
  parts: FollowParts,
  ailments: Ailments,
  call: Call,
): Promise<boolean> {
  try {
    const isDone = choice === undefined || (await deployIfNew(choice, parts, call));
    ailments.ledgerMessage = "";
    return isDone;
  } catch (error) {
    if (isEchoOf(call.signal, error)) throw error;
    const level = messageOf(error) === ailments.ledgerMessage ? "debug" : "error";
    ailments.ledgerMessage = messageOf(error);
    parts.logger[level]("the ledger could not be written", { error });
    return false;
  }
}

/** How long the registry asked us to stay away. */
function askedMs(error: unknown): number {
  const ms = error instanceof ReleaseRegistryError ? error.retryAfterMs : undefined;
  return Math.min(ms ?? 0, longestAskedMs);
}

/** Up to a tenth earlier or later, so that a fleet does not ask all at once. */
function jittered(intervalMs: number): number {
  return intervalMs * (0.9 + Math.random() * 0.2);
}

/** @returns whether the host runs it now. */
async function deployIfNew(choice: Choice, parts: FollowParts, call: Call): Promise<boolean> {
  const { ledger, clock, logger } = parts;
  const { tag, artifact } = choice;
  const target = { tag, identity: artifact.identity, artifact: artifact.name };
  const { active, attempt } = ledger.state;
  if (active && active.tag === tag && active.identity === artifact.identity) return true;
  const isUrgent = parts.isUrgent?.() ?? false;
  const pause = isUrgent ? undefined : pauseAt(ledger.state, clock.now());
  if (pause) {
    logger.debug("Deploy skipped: deployments are paused", { tag, by: pause.by });
    return true;
  }
  const wait = isUrgent ? undefined : await parts.waits?.(choice, call);
  if (wait) {
    logger.debug("Deploy skipped: the release waits", { ...wait });
    return true;
  }
  // Decided while the registry was asked: the next choice knows of it.
  if (heldReason(ledger.state, target, clock.now())) return true;
  if (!isUrgent && !isDue(ledger.state, target, clock.now())) {
    logger.debug("Deploy skipped", { tag, until: attempt?.retryAt, reason: attempt?.error });
    return false;
  }

  const desired = { tag, identity: artifact.identity, at: clock.now().toISOString() };
  const by = parts.decidedBy?.(choice);
  await ledger.update((state) => beginAttempt({ ...state, desired }, target, clock.now(), by));
  // At once, as whoever told the agent to end may not wait for what it undoes.
  const leave = () => void ledger.update(leaveAttempt).catch(() => {});
  call.signal.addEventListener("abort", leave, { once: true });
  try {
    await parts.deploy(choice, call);
    return true;
  } catch (error) {
    if (isEchoOf(call.signal, error)) throw error;
    await noteFailure(target, error, parts);
    return false;
  } finally {
    call.signal.removeEventListener("abort", leave);
  }
}

async function noteFailure(target: Target, error: unknown, parts: FollowParts): Promise<void> {
  const { ledger, clock, logger, observe, failureLimit = defaultFailureLimit } = parts;
  const { tag } = target;
  const details = { waitMs: askedMs(error), isFault: isReleaseFault(error) };
  await ledger.update((state) => failAttempt(state, error, clock.now(), details));
  const { failures, faults = 0, retryAt, by } = ledger.state.attempt ?? {};
  if (faults < failureLimit && !isFinalFault(error)) {
    logger.error("Dewy run failure", { tag, error, failures, retryAt });
    return;
  }
  const reason = messageOf(error);
  const entry = { reason, failures: faults, logTail: logTailOf(error) };
  const at = clock.now().toISOString();
  await ledger.update((state) => quarantine(state, { ...target, ...entry, at }));
  logger.error("Dewy run failure: the release is not tried again by itself", {
    ...{ tag, error, failures, hint: `publish a newer one, or call dewy retry ${tag}` },
  });
  const { logTail } = entry;
  observe({ type: "release quarantined", tag, reason, failures: faults, logTail, by });
}
