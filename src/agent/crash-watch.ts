import { type Call, isEchoOf } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { type InTurn, openTurns } from "../base/turns.ts";
import { afterwards } from "./deploy/afterwards.ts";
import type { RunHook } from "./deploy/hook.ts";
import type { Releases } from "./deploy/releases.ts";
import type { Observe } from "./event.ts";
import { phraseOf } from "./ledger/holds.ts";
import type { DeployedRelease, Ledger } from "./ledger/ledger.ts";
import {
  goodReleases,
  noteDeath,
  takeBack,
  undoTakeBack,
  type Verdict,
  verdictOf,
  type WatchRules,
} from "./ledger/watch.ts";
import type { GoneBack } from "./report.ts";

export interface CrashWatchParts {
  ledger: Ledger;
  releases: Releases;
  clock: Clock;
  logger: Logger;
  /** See `DeployParts`. */
  alone: InTurn;
  /** Puts what `current` names in place of what is in service; never fails for good. */
  goBack(tag: string, call: Call): Promise<void>;
  /** What the app has written before it died; never rejects. */
  lastWords(): Promise<readonly string[]>;
  rollbackHook: RunHook | undefined;
  observe: Observe;
  /** The registry is told last. */
  tell(gone: GoneBack, call: Call): Promise<void>;
}

export interface CrashWatch {
  /** Told of each death of what is in service, `how` it died. Neither throws nor waits. */
  died(how: string): void;
  /** Resolves when nothing is being taken back, and everybody has been told. */
  settled(): Promise<void>;
}

/**
 * Takes a release back that dies again and again after its deployment was committed.
 *
 * The ledger knows of the verdict first: an agent that is killed after it is followed by one that
 * starts the last good release.
 */
export function openCrashWatch(rules: WatchRules, parts: CrashWatchParts, call: Call): CrashWatch {
  const inOrder = openTurns();
  return {
    died(how) {
      const death = { how, lastWords: parts.lastWords() }; // soon they are those of the next one
      void inOrder(() => noted(death)).catch((error) => {
        if (isEchoOf(call.signal, error)) return;
        parts.logger.error("a release that crashes could not be taken back", { error });
      });
    },
    settled: () => inOrder(async () => {}),
  };

  async function noted(death: Death): Promise<void> {
    const { ledger, clock, alone } = parts;
    if (noteDeath(ledger.state, rules, clock.now()) === ledger.state) return;
    await ledger.update((state) => noteDeath(state, rules, clock.now()));
    if (!verdictOf(ledger.state, rules, clock.now())) return;
    const gone = await alone(() => goneBack(death, rules, parts, call));
    if (!gone) return;
    await toldOf(gone, parts, call);
  }
}

interface Death {
  how: string;
  lastWords: Promise<readonly string[]>;
}

/** A newer release, or a person, may have come before it. */
async function goneBack(
  { how, lastWords }: Death,
  rules: WatchRules,
  parts: CrashWatchParts,
  call: Call,
): Promise<GoneBack | undefined> {
  call.signal.throwIfAborted();
  const { ledger, clock, logger, releases } = parts;
  const verdict = verdictOf(ledger.state, rules, clock.now());
  if (!verdict) return undefined;
  const { bad, deaths } = verdict;
  const good = await placeToGo(verdict, parts);
  if (!good) return undefined;
  const reason = reasonOf(deaths, how, bad.tag, ledger.state.watch?.from, clock.now());
  logger.error("The release is taken back: it crashes again and again", {
    ...{ tag: bad.tag, to: good.tag, deaths, reason },
  });
  const about = { ...verdict, reason, logTail: await lastWords };
  const before = ledger.state;
  await ledger.update((state) => takeBack(state, good, about, clock.now()));
  try {
    await releases.switchTo(good.directory);
  } catch (error) {
    await ledger.update((state) => undoTakeBack(state, before));
    throw error;
  }
  const { tag } = bad;
  const { logTail } = about;
  parts.observe({ type: "rolled back", tag, to: good.tag, reason, deaths });
  const by = { kind: "crashes" } as const;
  parts.observe({ type: "release quarantined", tag, reason, failures: deaths, logTail, by });
  await parts.goBack(good.tag, call);
  return { bad, good, reason, at: clock.now() };
}

async function placeToGo(
  { bad, pin, deaths }: Verdict,
  { ledger, clock, logger, releases }: CrashWatchParts,
): Promise<DeployedRelease | undefined> {
  const fields = { tag: bad.tag, deaths };
  if (pin) {
    logger.warn("The release crashes, and stays: it is pinned", { ...fields, by: phraseOf(pin) });
    return undefined;
  }
  for (const release of goodReleases(ledger.state, clock.now())) {
    if (await releases.isComplete(release.directory)) return release;
  }
  logger.warn("The release crashes, and stays: there is no other to go back to", fields);
  return undefined;
}

function reasonOf(
  deaths: number,
  how: string,
  tag: string,
  from: string | undefined,
  now: Date,
): string {
  const seconds = from === undefined ? 0 : (now.getTime() - new Date(from).getTime()) / 1_000;
  const times = deaths === 1 ? "died" : `died ${deaths} times`;
  return `${tag} ${times} within ${Math.max(0, Math.round(seconds))} s after its deployment, and at last ${how}`;
}

async function toldOf(gone: GoneBack, parts: CrashWatchParts, call: Call): Promise<void> {
  const { rollbackHook: hook, logger } = parts;
  const { bad, good } = gone;
  const by = { kind: "crashes" } as const;
  const facts = { tag: bad.tag, previousTag: good.tag, releaseDirectory: bad.directory, by };
  await afterwards("rollback", facts, { hooks: { rollback: hook }, logger }, call);
  await parts.tell(gone, call);
}
