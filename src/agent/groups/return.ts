import type { Call } from "../../base/call.ts";
import type { InTurn } from "../../base/turns.ts";
import { pinAt } from "../ledger/holds.ts";
import type { UntoldReturn } from "../ledger/ledger.ts";
import { goodReleases } from "../ledger/watch.ts";
import { type TakeBackParts, takeReleaseBack, tellTakenBack } from "../take-back.ts";
import type { Abandoned, Group } from "./group.ts";

export type ReturnParts = TakeBackParts & { alone: InTurn };

/**
 * Takes the release of `name` back that another app of its group was taken back from. A level and no
 * edge: it is looked at in each pass, so that a kill in between costs nothing.
 */
export async function returnWithGroup(
  group: Group,
  name: string,
  parts: ReturnParts,
  call: Call,
): Promise<void> {
  if (!group.abandoned(name)) return;
  const gone = await parts.alone(async () => {
    const abandoned = group.abandoned(name);
    return abandoned && (await goneBack(group, abandoned, parts, call));
  });
  if (gone) await tellTakenBack(gone, parts, call);
}

async function goneBack(
  group: Group,
  { by, to, failures, ...about }: Abandoned,
  parts: ReturnParts,
  call: Call,
): Promise<UntoldReturn | undefined> {
  call.signal.throwIfAborted();
  const { ledger, clock, logger, releases } = parts;
  const bad = ledger.state.active;
  if (!bad || pinAt(ledger.state, clock.now())?.tag === bad.tag) return undefined;
  const reason = `${by} of the group ${group.options.name} was taken back: ${about.reason}`;
  for (const good of goodReleases(ledger.state, clock.now())) {
    if (good.tag !== to || !(await releases.isComplete(good.directory))) continue;
    logger.error("The release is taken back with its group", { tag: bad.tag, to, reason });
    const verdict = { bad, deaths: failures, pin: undefined, reason, logTail: [] };
    return takeReleaseBack(good, verdict, parts, call);
  }
  // Then it is fetched once more, since none but that one may be chosen.
  logger.debug("The release to go back to with the group is not here", { tag: bad.tag, to });
  return undefined;
}
