import { join } from "node:path";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Choice } from "../choose/choose.ts";
import type { Wait } from "../choose/wait.ts";
import { heldReason, pauseAt, pinAt } from "../ledger/holds.ts";
import type { Ledger, LedgerState } from "../ledger/ledger.ts";
import { GroupError } from "./group-error.ts";
import { type Barrier, openRound, type Participant, type Round } from "./round.ts";

/** What an app is part of: the group's name, and all of its apps in the order in which they move. */
export interface GroupOptions {
  name: string;
  apps: readonly string[];
}

/** What a group has to know of one of its apps while it runs. */
export interface Member {
  directory: string;
  ledger: Ledger;
  /** What it would run under this tag, whatever is held. */
  find(tag: string, call: Call): Promise<Choice | undefined>;
  /** Why it would not install that now. */
  waitOf(choice: Choice, call: Call): Promise<Wait | undefined>;
  /** Whether a person wants a release there at once. */
  isUrgent(): boolean;
  /** Has it looked after once more, whatever it does now. */
  wake(): void;
}

export interface GroupParts {
  clock: Clock;
  logger: Logger;
  reached?: ((barrier: Barrier) => void) | undefined;
}

/** Apps that run the same tag, or none of them does. */
export interface Group {
  readonly options: GroupOptions;
  /** `name` runs from now on; returns what ends that. */
  enter(name: string, member: Member): () => void;
  others(name: string): readonly Member[];
  /** Why `name` is not to choose `tag`: another app has no such release, or will not take it. */
  holdOn(name: string, tag: string, call: Call): Promise<string | undefined>;
  /** Why `name` is not to begin the move to `choice` yet. */
  waitOf(name: string, choice: Choice, call: Call): Promise<Wait | undefined>;
  isUrgent(): boolean;
  wakeOthers(name: string): void;
  /** The release that another app was taken back from, where `name` still runs it. */
  abandoned(name: string): Abandoned | undefined;
  /** Takes part in the move to `tag`. @throws {GroupError} */
  join(name: string, tag: string, call: Call): Promise<Participant>;
}

export interface Abandoned {
  by: string;
  reason: string;
  failures: number;
  /** What that app runs now. */
  to: string;
}

export function openGroup(options: GroupOptions, parts: GroupParts): Group {
  const { name: group, apps } = options;
  const { clock } = parts;
  const members = new Map<string, Member>();
  let round: Round | undefined;

  return {
    options,

    enter(name, member) {
      members.set(name, member);
      wakeOthers(name);
      return () => {
        if (members.get(name) === member) members.delete(name);
      };
    },

    others: (name) => apps.flatMap((other) => (other === name ? [] : (members.get(other) ?? []))),

    async holdOn(name, tag, call) {
      if (round && round.tag !== tag && round.awaits(name)) {
        if (pinOf(name) !== tag) return `the group ${group} is moving to ${round.tag}`;
        round.breakOff(overtaken(round.tag, name, tag));
      }
      const own = activeTag(name);
      for (const other of apps) {
        if (other === name || activeTag(other) === tag) continue;
        const reason = own === tag ? heldBy(other, tag) : await unavailableTo(other, tag, call);
        if (reason) return `${other} of the group ${group} ${reason}`;
      }
      return undefined;
    },

    async waitOf(name, choice, call) {
      for (const other of apps) {
        if (other === name || activeTag(other) === choice.tag) continue;
        const wait = await waitOfMember(other, choice.tag, call);
        if (wait) return { ...wait, reason: `${other} of the group ${group} ${wait.reason}` };
      }
      return undefined;
    },

    isUrgent,
    wakeOthers,

    abandoned(name) {
      const tag = activeTag(name);
      for (const other of apps) {
        const { active, quarantined } = stateOf(other) ?? {};
        if (other === name || !active || active.tag === tag) continue;
        const entry = quarantined?.find((each) => each.tag === tag);
        if (entry) {
          const { reason, failures } = entry;
          return { by: other, reason, failures, to: active.tag };
        }
      }
      return undefined;
    },

    async join(name, tag, call) {
      for (;;) {
        call.signal.throwIfAborted();
        if (!round) round = open(name, tag);
        if (round.tag === tag && round.awaits(name) && !round.failure) break;
        const { failure } = round;
        if (failure && round.tag === tag) throw failure;
        // Whoever decides otherwise meanwhile is not waited for.
        if (round.awaits(name)) round.breakOff(overtaken(round.tag, name, tag));
        await round.ended(call);
      }
      const participant = round.join(name);
      wakeOthers(name);
      return participant;
    },
  };

  function open(name: string, tag: string): Round {
    const late = apps.find((other) => other !== name && retryAt(other, tag) !== undefined);
    if (late !== undefined && !isUrgent()) {
      const message = `the group ${group} does not move to ${tag} yet: ${late} is tried again later`;
      throw new GroupError("NOT_TOGETHER", message);
    }
    const names = apps.filter((other) => other === name || activeTag(other) !== tag);
    const first = names.flatMap((other) => members.get(other) ?? [])[0];
    const journal = join(first?.directory ?? ".", ".dewy", "group.json");
    const opened = openRound({ group, tag, names, journal }, parts);
    void opened.ended({ signal: new AbortController().signal }).then(() => {
      if (round === opened) round = undefined;
    });
    return opened;
  }

  function overtaken(before: string, name: string, tag: string): GroupError {
    const message = `the group ${group} does not move to ${before}: ${name} is to run ${tag}`;
    return new GroupError("NOT_TOGETHER", message);
  }

  function stateOf(name: string): Readonly<LedgerState> | undefined {
    return members.get(name)?.ledger.state;
  }

  function pinOf(name: string): string | undefined {
    const state = stateOf(name);
    return state && pinAt(state, clock.now())?.tag;
  }

  function activeTag(name: string): string | undefined {
    return stateOf(name)?.active?.tag;
  }

  function isUrgent(): boolean {
    return [...members.values()].some((member) => member.isUrgent());
  }

  function wakeOthers(name: string): void {
    for (const [other, member] of members) if (other !== name) member.wake();
  }

  /** Of what runs elsewhere: a verdict about it counts, that it cannot be had any more does not. */
  function heldBy(name: string, tag: string): string | undefined {
    const state = stateOf(name);
    const entry = state?.quarantined?.find((each) => each.tag === tag);
    const identity = entry?.identity ?? "";
    const held = state && heldReason(state, { tag, identity }, clock.now());
    return held && `does not take it: ${held}`;
  }

  async function unavailableTo(name: string, tag: string, call: Call): Promise<string | undefined> {
    const member = members.get(name);
    if (!member) return "does not run";
    const choice = await member.find(tag, call);
    if (!choice) return "has no such release for this host";
    const { identity } = choice.artifact;
    const held = heldReason(member.ledger.state, { tag, identity }, clock.now());
    return held && `does not take it: ${held}`;
  }

  async function waitOfMember(name: string, tag: string, call: Call): Promise<Wait | undefined> {
    const member = members.get(name);
    if (!member) return { tag, reason: "does not run", until: undefined };
    const pause = pauseAt(member.ledger.state, clock.now());
    if (pause) return { tag, reason: "is paused", until: pause.until };
    const until = retryAt(name, tag);
    if (until) return { tag, reason: "failed, and is tried again later", until };
    const choice = await member.find(tag, call);
    const wait = choice && (await member.waitOf(choice, call));
    return wait && { ...wait, reason: `waits: ${wait.reason}` };
  }

  /** Where it has to wait after a failure. */
  function retryAt(name: string, tag: string): string | undefined {
    const { attempt } = stateOf(name) ?? {};
    if (attempt?.tag !== tag || attempt.retryAt === undefined) return undefined;
    const now = clock.now();
    const isOver = now >= new Date(attempt.retryAt) || now < new Date(attempt.startedAt);
    return isOver ? undefined : attempt.retryAt;
  }
}

/** The groups of a process. */
export interface Groups {
  /** The same for all apps of one group, as long as its apps and their order are the same. */
  of(options: GroupOptions | undefined, parts: GroupParts): Group | undefined;
}

export function openGroups(): Groups {
  const groups = new Map<string, Group>();
  return {
    of(options, parts) {
      if (!options) return undefined;
      const key = JSON.stringify([options.name, ...options.apps]);
      const group = groups.get(key) ?? openGroup(options, parts);
      groups.set(key, group);
      return group;
    },
  };
}
