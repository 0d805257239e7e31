import { randomUUID } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { EventSink, RegistryEvent } from "./event.ts";

/** Told of each tag that goes because no rule keeps it. Never fails. */
export type RuleRemovals = (removed: {
  repository: string;
  tag: string;
  actor: string;
}) => Promise<void>;

/** Tells of it as of a tag that a client deletes, though there was no request. */
export function ruleRemovalsTo(
  sink: EventSink,
  { source, clock }: { source: RegistryEvent["source"]; clock: Clock },
): RuleRemovals {
  return async ({ repository, tag, actor }) => {
    if (!sink.wants("delete")) return;
    await sink.publish({
      id: randomUUID(),
      timestamp: clock.now().toISOString(),
      action: "delete",
      target: { repository, tag },
      request: { id: randomUUID(), method: "DELETE", useragent: "dewy" },
      actor: { name: actor },
      source,
    });
  };
}
