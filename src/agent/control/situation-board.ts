import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { PassedOver } from "../choose/choose.ts";
import type { Wait } from "../choose/wait.ts";
import type { AgentEvent, Mode } from "../event.ts";
import { heldReason, pauseAt, pinAt, skipReason } from "../ledger/holds.ts";
import type { Attempt, DeployedRelease, LedgerState } from "../ledger/ledger.ts";
import { sentenceOf } from "../verify/verifier.ts";
import type { Situation } from "./situation.ts";

export interface SituationParts {
  app: string;
  mode: Mode;
  directory: string;
  registry: string;
  version: string;
  clock: Clock;
  state: () => Readonly<LedgerState>;
  nextPollAt: () => Date | undefined;
  /** What it is part of, where it is. */
  group?: { name: string; apps: readonly string[] } | undefined;
}

/** What the events of an app and its ledger come to. */
export interface SituationBoard {
  observe(event: AgentEvent): void;
  /** What the last choice waits for. */
  waits(wait: Wait | undefined): void;
  situation(): Situation;
}

export function openSituationBoard(parts: SituationParts): SituationBoard {
  const { clock, version, app, mode, directory, registry, group } = parts;
  const known = { app, mode, directory, registry };
  const since = clock.now().toISOString();
  let running: Situation["running"];
  let poll: Situation["poll"];
  let waiting: Wait | undefined;
  let passedOver: PassedOver[] = [];

  return {
    observe(event) {
      const at = clock.now().toISOString();
      if (event.type === "releases passed over") {
        passedOver = event.releases.map(({ tag, reason }) => ({ tag, reason }));
      }
      if (event.type === "app started") running = { pid: event.pid, since: at };
      if (event.type === "app died") running = undefined;
      if (event.type === "polled") waiting = undefined;
      if (event.type === "polled") poll = { at, ...(event.tag && { tag: event.tag }), passedOver };
      if (event.type === "poll failed") {
        poll = { at, ...poll, passedOver, error: messageOf(event.error) };
      }
    },
    waits(wait) {
      waiting = wait;
    },
    situation: () => {
      const nextPollAt = parts.nextPollAt()?.toISOString();
      return {
        ...recorded(known, parts.state(), clock.now()),
        ...(group && { group: { name: group.name, apps: [...group.apps] } }),
        agent: { pid: process.pid, version, since },
        ...(running && { running }),
        ...(poll && { poll }),
        ...(waiting && { waiting }),
        ...(nextPollAt && { nextPollAt }),
      };
    },
  };
}

/** What the ledger alone tells, which is all there is when no agent runs. */
export function recorded(
  known: Pick<Situation, "app" | "directory" | "mode" | "registry">,
  state: Readonly<LedgerState>,
  now: Date,
): Situation {
  const { active, lastGood, attempt, quarantined, uncovered } = state;
  const [pinned, paused] = [pinAt(state, now), pauseAt(state, now)];
  const skipped = state.skipped?.filter(({ tag }) => skipReason(state, tag, now) !== undefined);
  return {
    ...known,
    ...(active && { active: taggedOf(active) }),
    ...(uncovered && uncovered.directory === active?.directory && { uncovered: uncovered.reason }),
    ...(lastGood && { lastGood: taggedOf(lastGood) }),
    ...(attempt && { attempt: attemptOf(attempt, isHeld(state, attempt, now)) }),
    ...(pinned && { pinned }),
    ...(paused && { paused }),
    ...(skipped && { skipped }),
    ...(quarantined && { quarantined: quarantined.map(({ identity: _, ...entry }) => entry) }),
  };
}

const taggedOf = ({ tag, since, directory, evidence }: DeployedRelease) => ({
  ...{ tag, since, directory },
  ...(evidence && { verified: sentenceOf(evidence) }),
});

/** Whether it is left alone until somebody says otherwise. */
const isHeld = (state: Readonly<LedgerState>, tried: Attempt, now: Date): boolean =>
  pauseAt(state, now) !== undefined || heldReason(state, tried, now) !== undefined;

function attemptOf(
  { tag, phase, startedAt, failures, error, retryAt }: Attempt,
  held: boolean,
): NonNullable<Situation["attempt"]> {
  const next = retryAt && !held ? { retryAt } : {};
  return { tag, phase, startedAt, failures, ...(error && { error }), ...next };
}
