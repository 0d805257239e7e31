import type { Call } from "../../base/call.ts";
import { semanticVersions } from "../../base/version.ts";
import { artifactFor } from "../choose/artifact.ts";
import { type Choice, type ChoiceRules, isAllowed } from "../choose/choose.ts";
import { choiceOnDisk, type DiskChoiceParts } from "../choose/pinned-on-disk.ts";
import type { OtherWaits } from "../control/app-control.ts";
import { ControlError } from "../control/control-error.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { ReleaseRegistry } from "../release.ts";
import type { Group, Member } from "./group.ts";
import { type ReturnParts, returnWithGroup } from "./return.ts";
import type { Participant } from "./round.ts";

/** One app's side of its group. */
export interface Membership {
  heldByGroup(tag: string, call: Call): Promise<string | undefined>;
  /** What a choice waits for: first for the group, and then for what else there is. */
  before(others: OtherWaits | undefined): OtherWaits;
  isUrgent(): boolean;
  join(tag: string, call: Call): Promise<Participant>;
  wakeOthers(): void;
  /** Goes back where another one has. */
  returnWithGroup(parts: ReturnParts, call: Call): Promise<void>;
  enter(member: Member): () => void;
}

export function membershipOf(group: Group, name: string): Membership {
  return {
    heldByGroup: (tag, call) => group.holdOn(name, tag, call),
    before: (others) => ({
      waits: async (choice, call) =>
        (await group.waitOf(name, choice, call)) ?? (await others?.waits(choice, call)),
      peek: async (choice, call) =>
        (await group.waitOf(name, choice, call)) ?? (await others?.peek(choice, call)),
    }),
    isUrgent: () => group.isUrgent(),
    join: (tag, call) => group.join(name, tag, call),
    wakeOthers: () => group.wakeOthers(name),
    returnWithGroup: (parts, call) => returnWithGroup(group, name, parts, call),
    enter: (member) => group.enter(name, member),
  };
}

/** What an app would run under `tag`: as it lies on its disk, or as its registry has it. */
export async function findRelease(
  tag: string,
  {
    registry,
    rules,
    ...parts
  }: DiskChoiceParts & { registry: ReleaseRegistry; rules: ChoiceRules },
  call: Call,
): Promise<Choice | undefined> {
  const onDisk = await choiceOnDisk({ tag }, parts);
  if (onDisk) return onDisk;
  const version = (rules.versioning ?? semanticVersions).parse(tag);
  if (!version || !isAllowed(version, rules)) return undefined;
  const release = await registry.release(tag, call);
  const artifact = release && artifactFor(release, rules);
  if (!release || !artifact) return undefined;
  return { tag, version, release, artifact, passedOver: [] };
}

/** What a person decides about one app of a group is written down for each. */
export function sharedLedger(
  ledger: Ledger,
  group: Group | undefined,
  name: string,
): Pick<Ledger, "state" | "update"> {
  if (!group) return ledger;
  return {
    get state() {
      return ledger.state;
    },
    async update(change) {
      await ledger.update(change);
      for (const other of group.others(name)) {
        await other.ledger.update(change).catch((error) => {
          // What is no decision there, such as the end of a pause that it does not have.
          if (!(error instanceof ControlError)) throw error;
        });
      }
      group.wakeOthers(name);
    },
  };
}
