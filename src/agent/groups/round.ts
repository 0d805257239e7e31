import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { openChanges } from "./changes.ts";
import { GroupError } from "./group-error.ts";
import { revokeDecision, writeDecision } from "./journal.ts";

/** What is waiting to be looked after comes with its next pass, which was asked for. */
const arrivalMs = 120_000;

export const barriers = ["arrived", "prepared", "proved", "decided", "noted"] as const;
/** What the apps of a group reach together. */
export type Barrier = (typeof barriers)[number];

export interface RoundOptions {
  group: string;
  tag: string;
  /** Those that move, in the order in which they do. */
  names: readonly string[];
  journal: string;
}

export interface RoundParts {
  clock: Clock;
  logger: Logger;
  /** Told of each barrier as it is reached, for tests. */
  reached?: ((barrier: Barrier) => void) | undefined;
}

/** One app's part in a move. Each of its waits ends, since whoever is waited for fails or leaves. */
export interface Participant {
  /** Where the decision will be; the ledger has to know of it before `proved`. */
  readonly journal: string;
  /** Its files are there. Resolves when those of all are. @throws {GroupError} */
  prepared(call: Call): Promise<void>;
  /** Resolves when all that come before it have proved themselves. @throws {GroupError} */
  turn(call: Call): Promise<void>;
  /**
   * It has proved itself. Resolves when the decision that all have is on disk; rejects when there will
   * be none, once those that come after it are back. `failed` is heard until then.
   *
   * @throws {GroupError}
   */
  proved(
    directory: string,
    failed: Promise<Error | undefined> | undefined,
    call: Call,
  ): Promise<void>;
  /** Its ledger has the decision. Resolves when all have. @throws {GroupError} */
  noted(): Promise<void>;
  /** It will not come along, and neither will the others. */
  fail(error: unknown): Promise<void>;
  /** It is done, either way. */
  leave(): void;
}

/** A move of a group to one release. */
export interface Round {
  readonly tag: string;
  readonly failure: GroupError | undefined;
  /** Whether `name` moves, and has not come yet. */
  awaits(name: string): boolean;
  join(name: string): Participant;
  /** Nobody waits for those that have not come. */
  breakOff(error: GroupError): void;
  /** All that came have left. */
  ended(call: Call): Promise<void>;
}

export function openRound(options: RoundOptions, { clock, logger, reached }: RoundParts): Round {
  const { group, tag, names, journal } = options;
  const arrived = new Set<string>();
  const prepared = new Set<string>();
  const proved = new Map<string, string>();
  const noted = new Set<string>();
  const left = new Set<string>();
  const changes = openChanges();
  const arrivals = new AbortController();
  let failure: GroupError | undefined;
  let isDecided = false;
  /** The decision is being written or taken back: nobody can tell how it will be. */
  let isUncertain = false;
  void clock.sleep(arrivalMs, arrivals).then(late, () => {});

  return {
    tag,
    get failure() {
      return failure;
    },
    awaits: (name) => names.includes(name) && !arrived.has(name),
    join(name) {
      arrived.add(name);
      if (arrived.size === names.length) arrivals.abort();
      reach("arrived", arrived);
      return participantOf(name);
    },
    breakOff: fail,
    ended: (call) => changes.until(hasEnded, call),
  };

  function participantOf(name: string): Participant {
    const place = names.indexOf(name);
    const [earlier, later] = [names.slice(0, place), names.slice(place + 1)];
    return {
      journal,

      async prepared(call) {
        prepared.add(name);
        reach("prepared", prepared);
        await changes.until(() => isOver() || isReached(prepared), call);
        refuse();
      },

      async turn(call) {
        await changes.until(() => isOver() || earlier.every((other) => proved.has(other)), call);
        refuse();
      },

      async proved(directory, failed, call) {
        refuse();
        void failed?.then((error) => error && failBy(name, error));
        proved.set(name, directory);
        reach("proved", proved);
        if (isReached(proved)) await decide();
        await changes.until(() => isOver() || isDecided, call, { unless: () => isUncertain });
        await othersBack(later, call);
        refuse();
      },

      async noted() {
        const call = { signal: new AbortController().signal };
        if (!failure) noted.add(name);
        reach("noted", noted);
        await changes.until(() => isOver() || isReached(noted), call);
        await othersBack(later, call);
        refuse();
      },

      async fail(error) {
        failBy(name, error);
        await changes.until(() => !isUncertain, { signal: new AbortController().signal });
      },

      leave() {
        if (!isReached(noted)) failBy(name, new Error("it was stopped"));
        left.add(name);
        changes.tell();
      },
    };
  }

  function isReached(those: { size: number }): boolean {
    return !failure && those.size === names.length;
  }

  function isOver(): boolean {
    return failure !== undefined && !isUncertain;
  }

  function hasEnded(): boolean {
    const isThrough = failure !== undefined || noted.size === names.length;
    return isThrough && [...arrived].every((name) => left.has(name));
  }

  function refuse(): void {
    if (failure) throw failure;
  }

  /** In reverse order: what was exchanged last is put back first. */
  async function othersBack(later: readonly string[], call: Call): Promise<void> {
    if (failure) await changes.until(() => later.every((other) => left.has(other)), call);
  }

  function reach(barrier: Barrier, those: { size: number }): void {
    if (isReached(those)) reached?.(barrier);
    changes.tell();
  }

  async function decide(): Promise<void> {
    isUncertain = true;
    try {
      const at = clock.now().toISOString();
      const directories = [...proved.values()];
      await writeDecision(journal, { version: 1, group, tag, at, directories });
      if (failure) return await revoke();
      isDecided = true;
      logger.info("The group moves", { group, tag, apps: names });
    } catch (error) {
      const why = `the move of the group ${group} to ${tag} could not be written down`;
      fail(new GroupError("UNDECIDED", `${why} (${messageOf(error)})`, { cause: error }));
    } finally {
      isUncertain = false;
      reach("decided", proved);
    }
  }

  async function revoke(): Promise<void> {
    isUncertain = true;
    try {
      await revokeDecision(journal);
    } catch (error) {
      logger.error("the journal of the group could not be removed", { path: journal, error });
    } finally {
      isUncertain = false;
      changes.tell();
    }
  }

  function late(): void {
    const missing = names.filter((name) => !arrived.has(name)).join(", ");
    const seconds = arrivalMs / 1_000;
    const message = `the group ${group} cannot move to ${tag}: ${missing} did not come along within ${seconds} s`;
    const hint = `ask dewy why of ${missing}`;
    fail(new GroupError("NOT_TOGETHER", message, { hint }));
  }

  function failBy(name: string, cause: unknown): void {
    const message = `the group ${group} does not move to ${tag}: ${name}: ${messageOf(cause)}`;
    fail(new GroupError("MEMBER_FAILED", message, { cause }));
  }

  function fail(error: GroupError): void {
    if (failure || noted.size === names.length) return;
    failure = error;
    arrivals.abort();
    if (isDecided) void revoke();
    changes.tell();
  }
}
