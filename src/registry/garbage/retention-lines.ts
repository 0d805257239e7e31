import type { RetentionEvent, RetentionTotals } from "./retention-event.ts";

type Stop = Extract<RetentionEvent, { is: "stopped" }>;
interface Run {
  dryRun: boolean;
  limit: number;
}

/** The line a person reads of each tag, and of each repository that is left as it is. */
export function lineOfRetention(event: RetentionEvent, { dryRun, limit }: Run): string {
  if (event.is === "stopped") {
    const { repository } = event;
    return `${repository}: ${dryRun ? "would stay" : "left"} as it is: ${stopSentence(event, { limit })}`;
  }
  const verb = event.is === "removed" && dryRun ? "would be removed" : event.is;
  return `${event.repository}:${event.tag.tag} ${verb}: ${event.reasons.join(", ")}`;
}

/** The same for programs, a document a line. */
export function jsonOfRetention(event: RetentionEvent): string {
  if (event.is === "stopped") {
    const { repository, tags, removing } = event;
    return JSON.stringify({ repository, verdict: "stopped", tags, removing });
  }
  const { tag, digest, pushedMs, pulledMs } = event.tag;
  return JSON.stringify({
    ...{ repository: event.repository, tag, digest, verdict: event.is, reasons: event.reasons },
    pushed: new Date(pushedMs),
    pulled: pulledMs === undefined ? undefined : new Date(pulledMs),
  });
}

export function lineOfRetentionTotals(
  { kept, removed, stopped }: RetentionTotals,
  { dryRun }: Pick<Run, "dryRun">,
): string {
  const left = stopped.length === 0 ? "" : `, ${stopped.length} repositories left as they are`;
  return `${kept} tags kept, ${removed} ${dryRun ? "would be removed" : "removed"}${left}`;
}

export function stopSentence(
  { tags, removing }: Pick<Stop, "tags" | "removing">,
  { limit }: { limit: number },
): string {
  const percent = Number((limit * 100).toFixed(2));
  return `${removing} of its ${tags} tags would go, more than the limit of ${percent}%`;
}
