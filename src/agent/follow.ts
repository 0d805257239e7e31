import { type Call, isEchoOf, withTimeout } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { backoffMs } from "../base/retry.ts";
import type { Choice } from "./choose/choose.ts";
import { beginAttempt, failAttempt, isDue } from "./ledger/attempt.ts";
import type { Ledger } from "./ledger/ledger.ts";
import { ReleaseRegistryError } from "./release.ts";

const pollTimeoutMs = 60_000;
const pollBackoff = { firstMs: 5_000, maximumMs: 300_000 };
/** Who asks for more is wrong, or this host's clock is; GitHub's limits begin anew each hour. */
const longestAskedMs = 3_600_000;

export interface FollowParts {
  /** The release that should run now; `undefined` when there is none yet. */
  choose(call: Call): Promise<Choice | undefined>;
  /** Takes it into service, or leaves everything as it was and throws. */
  deploy(choice: Choice, call: Call): Promise<void>;
  /** Puts what `current` names into service when nothing runs. */
  keepRunning(call: Call): Promise<void>;
  ledger: Ledger;
  clock: Clock;
  logger: Logger;
  intervalMs: number;
}

/**
 * Deploys the newest release whenever it changes, until `signal` aborts.
 *
 * A poll that fails is logged once and the next one tries again, later and later: a registry that is
 * down costs staleness, never the process.
 */
export async function follow(parts: FollowParts, call: Call): Promise<never> {
  const polls = { failures: 0, lastMessage: "" };
  for (;;) {
    await parts.keepRunning(call);
    const waitMs = await poll(parts, polls, call);
    await parts.clock.sleep(waitMs, call);
  }
}

/** @returns how long to wait before the next one. */
async function poll(
  parts: FollowParts,
  polls: { failures: number; lastMessage: string },
  call: Call,
): Promise<number> {
  const { logger, intervalMs } = parts;
  let choice: Choice | undefined;
  try {
    choice = await withTimeout("asking the release registry", pollTimeoutMs, call, parts.choose);
  } catch (error) {
    if (isEchoOf(call.signal, error)) throw error;
    polls.failures++;
    const level = messageOf(error) === polls.lastMessage ? "debug" : "error";
    polls.lastMessage = messageOf(error);
    logger[level]("poll failed", { error, failures: polls.failures });
    return Math.max(intervalMs, askedMs(error), backoffMs(pollBackoff, polls.failures));
  }
  if (polls.failures > 0) logger.info("the registry answers again", { failures: polls.failures });
  polls.failures = 0;
  polls.lastMessage = "";
  try {
    if (choice) await deployIfNew(choice, parts, call);
  } catch (error) {
    if (isEchoOf(call.signal, error)) throw error;
    logger.error("the ledger could not be written", { error });
  }
  return jittered(intervalMs);
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

async function deployIfNew(choice: Choice, parts: FollowParts, call: Call): Promise<void> {
  const { ledger, clock, logger } = parts;
  const { tag, artifact } = choice;
  const target = { tag, identity: artifact.identity, artifact: artifact.name };
  const { active, attempt } = ledger.state;
  if (active && active.tag === tag && active.identity === artifact.identity) return;
  if (!isDue(ledger.state, target, clock.now())) {
    logger.debug("Deploy skipped", { tag, until: attempt?.retryAt, reason: attempt?.error });
    return;
  }

  const desired = { tag, identity: artifact.identity, at: clock.now().toISOString() };
  await ledger.update((state) => beginAttempt({ ...state, desired }, target, clock.now()));
  try {
    await parts.deploy(choice, call);
  } catch (error) {
    if (isEchoOf(call.signal, error)) throw error;
    await ledger.update((state) => failAttempt(state, error, clock.now(), askedMs(error)));
    const { failures, retryAt } = ledger.state.attempt ?? {};
    logger.error("deployment failed", { tag, error, failures, retryAt });
  }
}
