import type { Logger } from "../../base/logger.ts";
import type { GarbageEvent } from "./garbage-event.ts";

/** What a collection of a serving registry leaves in its log. */
export function logGarbage(event: GarbageEvent, logger: Logger, dryRun: boolean): void {
  switch (event.is) {
    case "begun":
      logger.info("garbage collection begun", { continued: event.continued, begun: event.begun });
      break;
    case "eligible":
      logger.info(dryRun ? "garbage would be collected" : "garbage collected", { ...event.item });
      break;
    case "restored":
      logger.warn("brought back from the trash, as it is in use", { path: event.path });
      break;
    case "short of room":
      logger.warn("the disk is full: what was collected is not kept, and the trash is emptied");
      break;
    case "problem":
      logger.warn("a manifest is damaged", {
        ...{
          ...event,
          hint: "push it again or delete it; nothing of its repository goes until then",
        },
      });
      break;
    case "damaged tag":
      logger.warn("a tag is damaged", { ...event, hint: "push it again or delete it" });
      break;
    default:
      logger.debug("garbage collection", { ...event });
  }
}
