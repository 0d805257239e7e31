import { type Metric, openCounter, openGauge } from "../../base/instruments.ts";
import type { ScrubEvent } from "./scrub.ts";
import type { ScrubState } from "./scrubs.ts";

export interface ScrubMetrics {
  noted(event: ScrubEvent): void;
  ended(state: ScrubState): void;
  /** When a process before this one has last read all blobs. */
  earlier(at: Date): void;
  read(): Metric[];
}

/** Scrubs of this process; what they read is counted while they do. */
export function openScrubMetrics(): ScrubMetrics {
  const counter = (name: string, help: string, unit: "" | "By" = "") =>
    openCounter({ name, help, unit, prometheus: `registry_scrub${name}_total` });
  const gauge = (name: string, help: string, unit: "" | "s" = "") =>
    openGauge({ name, help, unit, prometheus: `registry_scrub_last_${name}` });
  const runs = counter("s", "Scrubs, by how they ended");
  const blobs = counter("_blobs", "Blobs that scrubs have read");
  const bytes = counter("_bytes", "Bytes of blobs that scrubs have read", "By");
  const rotten = counter("_rotten", "Rotten blobs that scrubs have found");
  const endedAt = gauge("timestamp_seconds", "When a scrub last read all blobs", "s");
  const duration = gauge("duration_seconds", "How long the last scrub of all blobs took", "s");
  const found = gauge("rotten", "Rotten blobs that the last scrub of all blobs has found");
  for (const status of ["ended", "failed", "interrupted"]) runs.add({ status }, 0);
  for (const instrument of [blobs, bytes, rotten]) instrument.add({}, 0);
  return {
    noted(event) {
      if (event.is === "rotten") rotten.add({}, 1);
      if (event.is !== "read") return;
      blobs.add({}, 1);
      bytes.add({}, event.bytes);
    },

    ended(state) {
      runs.add({ status: state.status }, 1);
      if (state.status !== "ended" || state.endedAt === undefined) return;
      const ms = state.endedAt.getTime();
      endedAt.set({}, ms / 1000);
      duration.set({}, (ms - state.beganAt.getTime()) / 1000);
      found.set({}, state.totals.rotten);
    },

    earlier: (at) => endedAt.set({}, at.getTime() / 1000),

    read: () =>
      [runs, blobs, bytes, rotten, endedAt, duration, found].map((instrument) => instrument.read()),
  };
}
