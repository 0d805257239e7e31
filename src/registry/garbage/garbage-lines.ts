import type { GarbageEvent, GarbageItem, GarbageTotals } from "./garbage-event.ts";

/** What a person reads of a collection, in the words of Distribution's command where it has them. */
export function linesOfEvent(event: GarbageEvent, { dryRun }: { dryRun: boolean }): string[] {
  switch (event.is) {
    case "begun":
      return event.continued
        ? [`going on with the collection that began at ${event.begun.toISOString()}`]
        : [];
    case "repository":
      return [event.repository];
    case "marked":
      return [`${event.repository}: marking manifest ${event.digest}`];
    case "eligible":
      return [
        `${subjectOf(event.item)} ${dryRun ? "eligible for deletion" : "deleted"}: ${reasonOf(event.item)}`,
      ];
    case "kept":
      return [`${subjectOf(event.item)} kept: ${reasonOf(event.item)}`];
    case "restored":
      return [`brought back, as it is in use: ${event.path}`];
    case "short of room":
      return ["the disk is full: what was deleted is not kept, and the trash is emptied"];
    case "problem":
      return [
        `${event.repository}: manifest ${event.digest} is damaged: ${event.reason}; nothing of the repository goes until it is pushed again or deleted`,
      ];
    case "damaged tag":
      return [
        `${event.repository}: tag ${event.tag} is damaged: its link names no manifest; what it has meant stays until it is pushed again or deleted`,
      ];
  }
}

export function linesOfTotals(totals: GarbageTotals, { dryRun }: { dryRun: boolean }): string[] {
  const { marked, blobs, manifests, layerLinks, bytes, kept, restored, problems } = totals;
  const verb = dryRun ? "eligible for deletion" : "deleted";
  return [
    `${marked} manifests marked, ${blobs} blobs (${bytes} bytes), ${manifests} manifests and ${layerLinks} layer links ${verb}`,
    ...(kept > 0 ? [`${kept} kept, as they were used within the grace period`] : []),
    ...(restored > 0 ? [`${restored} brought back from the trash`] : []),
    ...(problems > 0 ? [`${problems} manifests or tags are damaged`] : []),
  ];
}

function subjectOf({ kind, repository }: GarbageItem): string {
  return repository === undefined ? kind : `${repository}: ${kind}`;
}

function reasonOf({ digest, reason }: GarbageItem): string {
  return `${digest} (${reason})`;
}
