import type { RegistryEvent } from "./event.ts";

/** Distribution's, of versions 2 and 3: what they hold is the same. */
export const envelopeTypes = {
  1: "application/vnd.docker.distribution.events.v1+json",
  2: "application/vnd.docker.distribution.events.v2+json",
} as const;

/** The envelope around one event, `line`, indented as Distribution's are. */
export function envelopeOf(line: string): string {
  const { traceparent: _, ...event } = JSON.parse(line) as Pick<RegistryEvent, "traceparent">;
  return JSON.stringify({ events: [event] }, undefined, 3);
}

/** The trace that the event belongs to, as a header. */
export function traceOf(line: string): { traceparent?: string } {
  const { traceparent } = JSON.parse(line) as Pick<RegistryEvent, "traceparent">;
  return traceparent === undefined ? {} : { traceparent };
}

/** Whether a line from the disk is what was written there. */
export function isEvent(line: string): boolean {
  try {
    const event: unknown = JSON.parse(line);
    return typeof event === "object" && event !== null && "id" in event;
  } catch {
    return false;
  }
}
