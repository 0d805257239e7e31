import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { type Cache, type CacheEntry, CacheError } from "../cache.ts";
import type { Choice } from "../choose/choose.ts";
import type { Observe } from "../event.ts";
import type { Ledger } from "../ledger/ledger.ts";
import {
  emptyRecord,
  type FleetRecord,
  hostOf,
  packRecord,
  type Rolled,
  rolloutOf,
  unpackRecord,
  withMember,
  withoutMembers,
  withPart,
  withRollout,
} from "./fleet-record.ts";
import { openFleetView } from "./fleet-view.ts";
import { type Gate, gateFor, type WaveRules } from "./gate.ts";
import { haltReason, type Turned, withHalts } from "./halts.ts";
import { isAway, isNews, withOwnParts } from "./own-part.ts";

export interface WaveOptions extends WaveRules {
  /** Of this host; see `WaveSize`. */
  label?: string | undefined;
  /** How often it looks at the registry. */
  intervalMs: number;
}

export interface WaveParts {
  /** `undefined` when it could not be opened. */
  cache: Cache | undefined;
  /** Names this host among the others. */
  self: string;
  /** Who has the same is in one fleet. */
  key: string;
  ledger: Ledger;
  clock: Clock;
  logger: Logger;
  observe: Observe;
  /** Of a clock that is never set. */
  nowMs?: () => number;
}

const attempts = 8;
const shortestGatherMs = 60_000;

/** Reads the record and writes what is new; the answer is about `choice`, where there is one. */
export type Visit = (choice: Choice | undefined, call: Call) => Promise<Gate | undefined>;

export interface Fleet {
  /** So often others hear of this host at the least. */
  beatMs: number;
  visit: Visit;
  /** The same without writing. */
  peek: Visit;
  /** As it was seen last. */
  known(): FleetRecord | undefined;
}

/** The record in the cache, as this host reads it and writes it. */
export function openFleet(options: WaveOptions, parts: WaveParts): Fleet {
  const { key, self, ledger, clock, logger, observe } = parts;
  const nowMs = parts.nowMs ?? (() => performance.now());
  const beatMs = options.timeoutMs / 3;
  const view = openFleetView(beatMs * 1.2, nowMs);
  const gatherMs = Math.max(shortestGatherMs, options.intervalMs * 3);
  let known: FleetRecord | undefined;
  /** What was read last, which most of the time is what is there. */
  let last: { version: string; record: FleetRecord } | undefined;
  let beatAtMs = Number.NEGATIVE_INFINITY;

  return {
    beatMs,
    known: () => known,

    async visit(choice, call) {
      const cache = opened(parts.cache);
      for (let attempt = 1; attempt <= attempts; attempt++) {
        const { record, version } = await read(cache, call);
        const { next, gate, turned } = step(record, choice);
        if (next === record) return keep(next, gate);
        const written = await cache.write(key, packRecord(next), { ifVersion: version }, call);
        if (written !== undefined) {
          if (next.members[self]?.beat !== record.members[self]?.beat) beatAtMs = nowMs();
          for (const one of turned) told(one, next);
          return keep(next, gate);
        }
        await clock.sleep(attempt * (20 + Math.random() * 180), call);
      }
      return { reason: "other hosts are writing down what they do; it is its turn soon" };
    },

    async peek(choice, call) {
      return step((await read(opened(parts.cache), call)).record, choice).gate;
    },
  };

  function keep(record: FleetRecord, gate: Gate | undefined): Gate | undefined {
    known = record;
    view.look(record);
    return gate;
  }

  async function read(cache: Cache, call: Call) {
    const entry = await cache.read(key, call);
    const version = entry?.version ?? "absent";
    const record = last?.version === version ? last.record : recordIn(entry, cache);
    last = entry && { version, record };
    view.look(record);
    return { record, version };
  }

  function recordIn(entry: CacheEntry | undefined, cache: Cache): FleetRecord {
    try {
      if (entry) return unpackRecord(entry.value);
    } catch (error) {
      const fields = { key, cache: cache.name, reason: messageOf(error) };
      logger.warn("The record of the fleet cannot be read and is replaced", fields);
    }
    return emptyRecord();
  }

  function step(record: FleetRecord, choice: Choice | undefined) {
    const { state } = ledger;
    const now = clock.now();
    const gathered = record.gathered || view.knownMs() >= gatherMs;
    let next = gathered === record.gathered ? record : { ...record, gathered };
    next = withOwnParts(withSelf(next, isAway(state, now)), self, state, now);
    const target = choice && { tag: choice.tag, identity: choice.artifact.identity };
    if (target) next = again(withRollout(next, target), target);
    const { record: judged, turned } = withHalts(next, options, view, self);
    if (!target) return { next: judged, gate: undefined, turned };
    const gate = gateOf(judged, target);
    if (gate.reason !== undefined) return { next: judged, gate, turned };
    const isIn = rolloutOf(judged, target)?.hosts[self] !== undefined;
    return {
      next: isIn ? judged : withPart(judged, target, self, { state: "started" }),
      gate,
      turned,
    };
  }

  function withSelf(record: FleetRecord, away: boolean): FleetRecord {
    const before = record.members[self];
    const { label } = options;
    const wanted = { ...(label && { label }), ...(away && { away: true as const }) };
    if (!isNews(before, wanted) && nowMs() - beatAtMs < beatMs * 0.9) return record;
    const gone = Object.keys(record.members).filter(
      (id) => id !== self && (view.silentMs(id) ?? 0) > options.timeoutMs * 2,
    );
    return withMember(withoutMembers(record, gone), self, {
      beat: (before?.beat ?? 0) + 1,
      ...wanted,
    });
  }

  /** A person has let this host try again what was bad here. */
  function again(record: FleetRecord, target: Rolled): FleetRecord {
    const isBad = rolloutOf(record, target)?.hosts[self]?.state === "bad";
    const held = ledger.state.quarantined?.some(
      ({ tag, identity }) => tag === target.tag && identity === target.identity,
    );
    return isBad && !held ? withPart(record, target, self, { state: "started" }) : record;
  }

  function gateOf(record: FleetRecord, target: Rolled): Gate {
    const rollout = rolloutOf(record, target);
    if (!rollout) return { reason: undefined };
    const own = rollout.hosts[self]?.state;
    if (rollout.haltedBy && own !== "good") {
      return { reason: `its rollout is halted: ${haltReason(rollout)}` };
    }
    if (own || !ledger.state.active) return { reason: undefined };
    if (!record.gathered) {
      const leftMs = Math.max(0, gatherMs - view.knownMs());
      const count = Object.keys(record.members).length;
      return { reason: `the hosts of its waves are still gathering, ${count} so far`, leftMs };
    }
    return gateFor(self, record, rollout, options, view);
  }

  function told({ rollout, halted }: Turned, { members }: FleetRecord): void {
    const { tag } = rollout;
    if (!halted) {
      logger.warn("The rollout goes on: the release is bad no more", { tag });
      return;
    }
    const reason = haltReason(rollout);
    const installed = Object.keys(rollout.hosts).length;
    const count = { installed, hosts: Object.keys(members).length };
    const by = rollout.haltedBy?.map(hostOf);
    logger.error("The rollout is halted", { tag, reason, by, ...count });
    observe({ type: "rollout halted", tag, reason, ...count });
  }
}

function opened(cache: Cache | undefined): Cache {
  if (cache) return cache;
  throw new CacheError("UNAVAILABLE", "the cache could not be opened when dewy was started");
}
