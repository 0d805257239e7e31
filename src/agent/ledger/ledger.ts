import { readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import * as v from "valibot";
import { removeDrafts, writeFileWhole } from "../../base/atomic-file.ts";
import type { Clock } from "../../base/clock.ts";
import { ConfigError, DewyError, messageOf, systemCodeOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { makeDirectory } from "../../base/make-directory.ts";
import { parse } from "../../base/schema.ts";
import { openTurns } from "../../base/turns.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import { Evidence } from "../verify/verifier.ts";
import { LedgerError, unwritten } from "./ledger-error.ts";

const Time = v.pipe(v.string(), v.isoTimestamp());

const DeployedRelease = v.object({
  tag: v.string(),
  identity: v.string(),
  digest: v.custom<Digest>(
    (value) => typeof value === "string" && isDigest(value),
    "is not a digest",
  ),
  artifact: v.string(),
  directory: v.string(),
  since: Time,
  /** What vouched for these bytes; ledgers of earlier versions do not tell. */
  evidence: v.optional(Evidence),
  /** What was fetched, and what it takes unpacked; ledgers of earlier versions do not tell. */
  artifactBytes: v.optional(v.number()),
  unpackedBytes: v.optional(v.number()),
});

/** The steps of a deployment, in order. */
export const phases = ["fetch", "verify", "unpack", "switch", "start", "commit", "prune"] as const;
const Phase = v.picklist(phases);

const Count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** That a release has proved itself, and stands as soon as the journal of its group says so. */
const Vote = v.object({ journal: v.string(), release: DeployedRelease });
/** What made the agent do it. */
const DecidedBy = v.object({
  /**
   * `poll`: it was the newest; `wait`: its window has opened or it has become old enough; `crashes`: the
   * one before it died too often.
   */
  kind: v.picklist(["poll", "person", "wait", "crashes"]),
  /** Of the person, with the reason they gave. */
  name: v.optional(v.string()),
  reason: v.optional(v.string()),
});

const Attempt = v.object({
  tag: v.string(),
  identity: v.string(),
  artifact: v.string(),
  directory: v.optional(v.string()),
  phase: Phase,
  startedAt: Time,
  failures: Count,
  /** Those of the failures that were the release's own; ledgers of earlier versions do not tell. */
  faults: v.optional(Count),
  /** How many agents in a row were killed while it was started. */
  cutOff: v.optional(Count),
  error: v.optional(v.string()),
  retryAt: v.optional(Time),
  vote: v.optional(Vote),
  /** Ledgers of earlier versions do not tell. */
  by: v.optional(DecidedBy),
});

/** A deployment that was committed, until everybody who wants to know has been told. */
const Untold = v.object({
  release: DeployedRelease,
  previousTag: v.optional(v.string()),
  startedAt: Time,
  committedAt: Time,
  by: v.optional(DecidedBy),
});

/** A release that was taken back by itself, until its hook has run and everybody has been told. */
const UntoldReturn = v.object({
  bad: DeployedRelease,
  good: DeployedRelease,
  reason: v.string(),
  deaths: Count,
  at: Time,
});

/** The newest release of one registry that was deployed by its signature. */
const SignedMark = v.object({
  registry: v.string(),
  tag: v.string(),
  at: Time,
  /** The policy it satisfied: times of other keys are not compared. */
  policy: v.string(),
  /** As the signature says. */
  signedAt: v.optional(Time),
});

/** What a person has decided: who, when, why, and until when it holds where it does not for ever. */
export const Decision = v.object({
  by: v.string(),
  at: Time,
  reason: v.optional(v.string()),
  until: v.optional(Time),
});
export const DecisionAboutRelease = v.object({ ...Decision.entries, tag: v.string() });
/** With the bytes that were meant by the tag, as soon as these are known. */
const PinnedRelease = v.object({
  ...DecisionAboutRelease.entries,
  identity: v.optional(v.string()),
});

const QuarantinedRelease = v.object({
  tag: v.string(),
  identity: v.string(),
  reason: v.string(),
  at: Time,
  /** How often it was tried, and failed by its own fault. */
  failures: Count,
  logTail: v.array(v.string()),
});

/** The release that a deployment has put into service, and when it has died since. */
const Watch = v.object({ directory: v.string(), from: Time, deaths: v.array(Time) });

const LedgerState = v.object({
  version: v.literal(1),
  desired: v.optional(v.object({ tag: v.string(), identity: v.string(), at: Time })),
  attempt: v.optional(Attempt),
  active: v.optional(DeployedRelease),
  lastGood: v.optional(DeployedRelease),
  releases: v.array(DeployedRelease),
  untold: v.optional(Untold),
  untoldReturn: v.optional(UntoldReturn),
  watch: v.optional(Watch),
  /** When the release that waits to grow older was seen first, where its registry does not tell. */
  seen: v.optional(v.object({ tag: v.string(), identity: v.string(), at: Time })),
  quarantined: v.optional(v.array(QuarantinedRelease)),
  skipped: v.optional(v.array(DecisionAboutRelease)),
  pinned: v.optional(PinnedRelease),
  paused: v.optional(Decision),
  signed: v.optional(v.array(SignedMark)),
  /** The release in service, where the policy of today would not let it in, and why. */
  uncovered: v.optional(v.object({ directory: v.string(), reason: v.string() })),
});

/** A release on disk. `directory` is absolute; `since` is an ISO time, when it became active. */
export type DeployedRelease = v.InferOutput<typeof DeployedRelease>;
/** The release being tried, or the one that failed and waits until `retryAt`. */
export type Attempt = v.InferOutput<typeof Attempt>;
/** The step a deployment was in when it was last heard of. */
export type Phase = v.InferOutput<typeof Phase>;
/** What a kill leaves to the next agent to tell. */
export type Untold = v.InferOutput<typeof Untold>;
export type Vote = v.InferOutput<typeof Vote>;
export type UntoldReturn = v.InferOutput<typeof UntoldReturn>;
export type SignedMark = v.InferOutput<typeof SignedMark>;
export type Decision = v.InferOutput<typeof Decision>;
export type DecisionAboutRelease = v.InferOutput<typeof DecisionAboutRelease>;
export type PinnedRelease = v.InferOutput<typeof PinnedRelease>;
export type DecidedBy = v.InferOutput<typeof DecidedBy>;
/** A release that has failed as often as it may, and is not tried again by itself. */
export type QuarantinedRelease = v.InferOutput<typeof QuarantinedRelease>;
/** Three facts, never one: what the last poll chose, what is being tried, what is in service. */
export type LedgerState = v.InferOutput<typeof LedgerState>;

/** What this host knows about the deployments of one application. It holds no secrets. */
export interface Ledger {
  /** As last told; what a full disk has not taken is written later; never changed in place. */
  readonly state: Readonly<LedgerState>;
  /**
   * Applies `change` and resolves when the outcome is on disk. Changes apply one after another.
   *
   * @throws {LedgerError} when it cannot be written; then it was not applied
   */
  update(change: Change): Promise<void>;
  /**
   * As `update`, and holds although it cannot be written, as on a full disk: for what is to be done at
   * once, and can be done again by the next agent, should this one be killed before it is on the disk.
   */
  hold(change: Change): Promise<void>;
  /** Writes what holds and is not on the disk, if there is anything and it can be. */
  catchUp(): Promise<void>;
}

type Change = (state: Readonly<LedgerState>) => LedgerState;

const emptyState: LedgerState = { version: 1, releases: [] };

/**
 * Opens the ledger at `path`, or begins an empty one.
 *
 * One that cannot be read, or comes from a newer version, is moved aside and warned about: a host
 * that has to look at its disk again is better off than one that does not deploy at all.
 */
export async function openLedger(
  path: string,
  { logger, clock }: { logger: Logger; clock: Clock },
): Promise<Ledger> {
  await makeDirectory(dirname(path), 0o700);
  await removeDrafts(path);
  let state = await readState(path, logger, clock);
  let isBehind = false;
  const inTurn = openTurns();

  const write = async (next: LedgerState) => {
    const text = `${JSON.stringify(next, undefined, 2)}\n`;
    await writeFileWhole(path, text, { mode: 0o600 }).catch((error) => {
      throw systemCodeOf(error) === undefined ? error : unwritten(path, error);
    });
    state = next;
    isBehind = false;
  };
  const writeOrHold = async (next: LedgerState) => {
    try {
      await write(next);
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      if (!isBehind)
        logger.warn("The ledger goes on in memory, as it cannot be written", { error });
      state = next;
      isBehind = true;
    }
  };

  return {
    get state() {
      return state;
    },
    update: (change) => inTurn(() => write(change(state))),
    hold: (change) => inTurn(() => writeOrHold(change(state))),
    catchUp: () => inTurn(async () => void (isBehind && (await writeOrHold(state)))),
  };
}

/** What the ledger at `path` holds now, for who only looks at it. @throws {ConfigError} when it is broken */
export async function readLedger(path: string): Promise<LedgerState> {
  try {
    return parse(LedgerState, JSON.parse(await readFile(path, "utf8")), (key) => key || "ledger");
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return emptyState;
    const hint =
      "look at it as the user that the agent runs as; a broken one is begun anew by dewy";
    throw new ConfigError(`${path} cannot be read: ${messageOf(error)}`, { cause: error, hint });
  }
}

async function readState(path: string, logger: Logger, clock: Clock): Promise<LedgerState> {
  try {
    const text = await readFile(path, "utf8");
    return parse(LedgerState, JSON.parse(text), (key) => key || "ledger");
  } catch (error) {
    const code = error instanceof DewyError ? undefined : systemCodeOf(error);
    if (code === "ENOENT") return emptyState;
    if (code !== undefined && code !== "EISDIR") throw error;
    const aside = `${path}.broken-${clock
      .now()
      .toISOString()
      .replaceAll(/[-:]|\.\d+/g, "")}`;
    await rename(path, aside);
    logger.warn("Ledger was unreadable and begins anew", {
      movedTo: aside,
      reason: messageOf(error),
    });
    return emptyState;
  }
}
