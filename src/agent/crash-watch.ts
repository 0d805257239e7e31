import { type Call, isEchoOf } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import { type InTurn, openTurns } from "../base/turns.ts";
import { phraseOf } from "./ledger/holds.ts";
import type { DeployedRelease, UntoldReturn } from "./ledger/ledger.ts";
import {
  goodReleases,
  noteDeath,
  type Verdict,
  verdictOf,
  type WatchRules,
} from "./ledger/watch.ts";
import { observeReturn, type TakeBackParts, takeReleaseBack, tellTakenBack } from "./take-back.ts";

export interface CrashWatchParts extends TakeBackParts {
  clock: Clock;
  /** See `DeployParts`. */
  alone: InTurn;
  /** What the app has written before it died. */
  lastWords(): Promise<readonly string[]>;
}

export interface CrashWatch {
  /** Told of each death of what is in service, `how` it died. Neither throws nor waits. */
  died(how: string): void;
  /** Finishes, once, what a killed agent has left of a way back: its hook, and who is told. */
  tellLeft(): void;
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
  let { untoldReturn: left } = parts.ledger.state;
  const begin = (work: () => Promise<void>) => {
    void inOrder(work).catch((error) => {
      if (isEchoOf(call.signal, error)) return;
      parts.logger.error("a release that crashes could not be taken back", { error });
    });
  };
  return {
    died(how) {
      const death = { how, lastWords: parts.lastWords() }; // soon they are those of the next one
      begin(() => noted(death));
    },
    tellLeft() {
      const gone = left;
      left = undefined;
      if (gone) begin(() => tellReturn(gone, parts, call));
    },
    settled: () => inOrder(async () => {}),
  };

  async function noted(death: Death): Promise<void> {
    const { ledger, clock, alone } = parts;
    if (noteDeath(ledger.state, rules, clock.now()) === ledger.state) return;
    await ledger.hold((state) => noteDeath(state, rules, clock.now()));
    if (!verdictOf(ledger.state, rules, clock.now())) return;
    const gone = await alone(() => goneBack(death, rules, parts, call));
    if (gone) await tellTakenBack(gone, parts, call);
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
): Promise<UntoldReturn | undefined> {
  call.signal.throwIfAborted();
  const { ledger, clock, logger } = parts;
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
  return takeReleaseBack(good, about, parts, call);
}

/** Who was told just before the kill may hear of it twice. */
async function tellReturn(gone: UntoldReturn, parts: CrashWatchParts, call: Call): Promise<void> {
  const { bad, good, at } = gone;
  parts.logger.info("Telling of a way back that an earlier agent left untold", {
    ...{ tag: bad.tag, to: good.tag, at },
  });
  observeReturn(gone, parts);
  await tellTakenBack(gone, parts, call);
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
