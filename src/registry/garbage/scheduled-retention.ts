import { type Call, isEchoOf } from "../../base/call.ts";
import type { Logger } from "../../base/logger.ts";
import type { GarbageCollectOptions } from "./options.ts";
import { pullTimesOn } from "./pull-times.ts";
import { type RetainParts, retainTags } from "./retain-tags.ts";
import type { RetentionEvent } from "./retention-event.ts";
import { stopSentence } from "./retention-lines.ts";
import type { RetentionOptions } from "./retention-options.ts";

export interface ScheduledRetentionParts extends Omit<RetainParts, "pulls"> {
  logger: Logger;
}

/** What whoever wrote the rules may not expect of the rest of the configuration. */
export function noteOfRetention(
  { rules }: RetentionOptions,
  { enabled, deleteuntagged }: GarbageCollectOptions,
): string | undefined {
  if (rules.every(({ keep }) => keep === undefined)) return undefined;
  if (!enabled) {
    return "retention rules are applied by dewy registry retention only, as garbagecollect.enabled is false";
  }
  if (deleteuntagged) return undefined;
  return "what retention takes the tags of takes room all the same, as garbagecollect.deleteuntagged is false";
}

/** Applies the rules, if there are any. A failure is told, and keeps nobody from collecting. */
export async function retainOnSchedule(
  { rules, limit, dryrun }: RetentionOptions,
  { dryRun: isDryAnyway }: { dryRun: boolean },
  { logger, ...parts }: ScheduledRetentionParts,
  call: Call,
): Promise<void> {
  if (rules.every(({ keep }) => keep === undefined)) return;
  const dryRun = dryrun || isDryAnyway;
  const report = (event: RetentionEvent) => log(event, { dryRun, limit }, logger);
  try {
    const pulls = pullTimesOn(parts.storage);
    const options = { rules, limit, force: false, dryRun, report };
    const { kept, removed, stopped } = await retainTags({ ...parts, pulls }, options, call);
    logger.info("retention ended", { kept, removed, stopped: stopped.length, dryRun });
  } catch (error) {
    if (isEchoOf(call.signal, error)) throw error;
    logger.error("retention rules could not be applied", { error });
  }
}

function log(
  event: RetentionEvent,
  { dryRun, limit }: { dryRun: boolean; limit: number },
  logger: Logger,
): void {
  const { repository } = event;
  if (event.is === "stopped") {
    const reason = stopSentence(event, { limit });
    logger.error("retention left a repository as it is", { repository, reason });
    return;
  }
  const { tag, digest } = event.tag;
  const fields = { repository, tag, digest, reason: event.reasons.join(", ") };
  if (event.is === "kept") logger.debug("tag kept", fields);
  else logger.info(dryRun ? "tag would be removed" : "tag removed", fields);
}
