import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { isTag } from "../../oci/reference.ts";
import { catalogOn } from "../images/catalog.ts";
import { readLink } from "../images/link.ts";
import { tagLinkPath, tagsPath } from "../images/paths.ts";
import type { TagHistory } from "../images/tag-history.ts";
import { trashOn } from "../images/trash.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { inParallel } from "./parallel.ts";
import type { PullTimes } from "./pull-times.ts";
import { type KnownTag, type Moment, ruleFor, type Verdict, verdictsOn } from "./retention.ts";
import type { RetentionEvent, RetentionTotals } from "./retention-event.ts";
import type { RetentionOptions, RetentionRule } from "./retention-options.ts";
import { removeTag } from "./tag-removal.ts";

export interface RetainParts {
  storage: StorageDriver;
  pulls: PullTimes;
  history: TagHistory;
  clock: Clock;
  /** Told of each tag that was removed, and waited for. */
  removed?:
    | ((removed: { repository: string; tag: string; actor: string }) => Promise<void>)
    | undefined;
}

export interface RetainOptions extends Pick<RetentionOptions, "rules" | "limit"> {
  /** Removes however many tags the rules say. */
  force: boolean;
  /** Changes nothing, and says what would be. */
  dryRun: boolean;
  report(event: RetentionEvent): void;
}

const parallel = 2;
/** In the history of a tag. */
const actor = "(retention)";
/** So many tags of a repository may always go: a part of a few tags says little. */
const fewTags = 5;

/**
 * Removes the tags that no rule keeps, while others push and pull. A repository of which too many
 * would go is left as it is, and counted.
 *
 * @throws {StorageError} when the storage fails; what was removed until then is
 */
export async function retainTags(
  { storage, pulls, history, clock, removed }: RetainParts,
  options: RetainOptions,
  call: Call,
): Promise<RetentionTotals> {
  const totals: RetentionTotals = { kept: 0, removed: 0, stopped: [] };
  const { rules, report } = options;
  const nowMs = clock.now().getTime();
  const run = { begunMs: nowMs, cutoffMs: nowMs };
  const removal = { storage, trash: trashOn(storage), run };
  const pullsSinceMs = (await pulls.since(call))?.getTime();
  for await (const repository of catalogOn(storage).walk(undefined, call)) {
    call.signal.throwIfAborted();
    const rule = ruleFor(rules, repository);
    if (rule?.keep !== undefined) await retain(repository, rule, { nowMs, pullsSinceMs });
  }
  return totals;

  async function retain(repository: string, rule: RetentionRule, moment: Moment): Promise<void> {
    const tags = await knownTags(repository, { storage, pulls }, call);
    const verdicts = verdictsOn(tags, rule, moment);
    const removing = verdicts.filter(({ isKept }) => !isKept).length;
    const isStopped = !options.force && removing > allowed(tags.length);
    if (isStopped) {
      totals.stopped.push(repository);
      report({ is: "stopped", repository, tags: tags.length, removing });
    }
    const isDry = options.dryRun || isStopped;
    for (const verdict of verdicts) {
      call.signal.throwIfAborted();
      if (!isStopped || options.dryRun) await carryOut(repository, verdict, isDry);
    }
  }

  async function carryOut(repository: string, verdict: Verdict, isDry: boolean): Promise<void> {
    const { tag, isKept, reasons } = verdict;
    const isGone = !isKept && (isDry || (await removeTag(repository, tag, removal, call)));
    if (isGone && !isDry) {
      const change = { digest: undefined, previous: tag.digest };
      await history.note(repository, tag.tag, change, { ...call, actor });
      await removed?.({ repository, tag: tag.tag, actor });
    }
    if (isGone) totals.removed++;
    else totals.kept++;
    const why = isKept || isGone ? reasons : ["it was pushed or deleted meanwhile"];
    report({ is: isGone ? "removed" : "kept", repository, tag, reasons: why });
  }

  function allowed(tags: number): number {
    return Math.max(fewTags, Math.floor(tags * options.limit));
  }
}

async function knownTags(
  repository: string,
  { storage, pulls }: { storage: StorageDriver; pulls: PullTimes },
  call: Call,
): Promise<KnownTag[]> {
  const known: KnownTag[] = [];
  const names = storage.list(tagsPath(repository), call);
  await inParallel(names, { limit: parallel, ...call }, async (tag) => {
    if (!isTag(tag)) return;
    const path = tagLinkPath(repository, tag);
    // In this order: what is pushed in between is then newer than it is taken for, and stays.
    const link = await storage.stat(path, call);
    const digest = link && (await readLink(storage, path, call));
    if (link === undefined || digest === undefined) return;
    const pulled = await pulls.of({ repository, tag, digest }, call);
    known.push({ tag, digest, pushedMs: link.modified.getTime(), pulledMs: pulled?.getTime() });
  });
  return known.sort((one, other) => (one.tag < other.tag ? -1 : 1));
}
