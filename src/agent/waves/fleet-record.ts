import { randomUUID } from "node:crypto";
import * as v from "valibot";

/** Newer releases displace older ones, which nobody is about to install any more. */
const mostRollouts = 3;
const longestReason = 300;

const Text = v.pipe(v.string(), v.maxLength(4096));

const Member = v.object({
  /** Another at each sign of life; whoever sees it change knows that the host lives. */
  beat: v.pipe(v.number(), v.safeInteger()),
  label: v.optional(Text),
  /** A person keeps it from installing anything: nobody waits for it. */
  away: v.optional(v.literal(true)),
});

const Part = v.object({
  state: v.picklist(["started", "good", "bad"]),
  /** Why it was bad. */
  reason: v.optional(Text),
});

const Rollout = v.object({
  tag: Text,
  identity: Text,
  hosts: v.record(Text, Part),
  /** Those for whose sake nobody else installs it. */
  haltedBy: v.optional(v.array(Text)),
});

const Record = v.object({
  version: v.literal(1),
  /** Of this record: another one after the store has lost it. */
  epoch: Text,
  /** Whether everybody has had the time to join. */
  gathered: v.boolean(),
  members: v.record(Text, Member),
  rollouts: v.array(Rollout),
});

/** What the hosts of a fleet tell one another. No time of day is in it: their clocks may differ. */
export type FleetRecord = v.InferOutput<typeof Record>;
export type Member = v.InferOutput<typeof Member>;
/** What has become of one release on the hosts of the fleet. */
export type Rollout = v.InferOutput<typeof Rollout>;
export type Part = v.InferOutput<typeof Part>;
/** The same tag with other bytes is another release. */
export type Rolled = Pick<Rollout, "tag" | "identity">;

export const emptyRecord = (): FleetRecord => ({
  version: 1,
  epoch: randomUUID(),
  gathered: false,
  members: {},
  rollouts: [],
});

export const packRecord = (record: FleetRecord): Buffer => Buffer.from(JSON.stringify(record));

/** @throws whatever is wrong with it */
export function unpackRecord(bytes: Buffer): FleetRecord {
  return v.parse(Record, JSON.parse(bytes.toString()));
}

export function rolloutOf(record: FleetRecord, { tag, identity }: Rolled): Rollout | undefined {
  return record.rollouts.find((one) => one.tag === tag && one.identity === identity);
}

/** The record with the rollout of `release` in it, the newest one first. */
export function withRollout(record: FleetRecord, { tag, identity }: Rolled): FleetRecord {
  if (rolloutOf(record, { tag, identity })) return record;
  const rollouts = [{ tag, identity, hosts: {} }, ...record.rollouts].slice(0, mostRollouts);
  return { ...record, rollouts };
}

export function withMember(record: FleetRecord, id: string, member: Member): FleetRecord {
  return { ...record, members: { ...record.members, [id]: member } };
}

export function withoutMembers(record: FleetRecord, ids: readonly string[]): FleetRecord {
  if (ids.length === 0) return record;
  const left = Object.entries(record.members).filter(([id]) => !ids.includes(id));
  return { ...record, members: Object.fromEntries(left) };
}

/** Notes what `id` has come to; `undefined` takes it out of the rollout. */
export function withPart(
  record: FleetRecord,
  of: Rolled,
  id: string,
  part: Part | undefined,
): FleetRecord {
  return withRolloutChanged(record, of, (rollout) => {
    const { [id]: _before, ...others } = rollout.hosts;
    const reason = part?.reason?.slice(0, longestReason);
    const own = part && { [id]: { state: part.state, ...(reason && { reason }) } };
    return { ...rollout, hosts: { ...others, ...own } };
  });
}

export function withRolloutChanged(
  record: FleetRecord,
  of: Rolled,
  change: (rollout: Rollout) => Rollout,
): FleetRecord {
  const rollouts = record.rollouts.map((rollout) =>
    rollout.tag === of.tag && rollout.identity === of.identity ? change(rollout) : rollout,
  );
  return { ...record, rollouts };
}

/** The name for people: without the directory, which only tells two apps of one host apart. */
export const hostOf = (id: string): string => id.split(":/")[0] || id;
