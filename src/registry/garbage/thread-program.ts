/** The program of a thread that does one thing and ends: see `workOnThread`. */
import { setTimeout } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "../../base/clock.ts";
import { stepBack } from "../../base/step-back.ts";
import { besidePushes, discardDrafts, openStorage } from "../storage/index.ts";
import { failureOf, type ThreadMessage, type ThreadWork, type WorkName } from "./thread-work.ts";

/** The serving thread logs each of them, and has other things to do as well. */
const mostEvents = 50;

const work = workerData as ThreadWork<WorkName>;
const stop = new AbortController();
let events: unknown[] = [];

parentPort?.once("message", () => stop.abort(new Error("the registry is closing")));
stepBack();
try {
  const totals = await done();
  tellEvents();
  tell({ is: "ended", totals });
} catch (error) {
  tellEvents();
  tell({ is: "failed", failure: failureOf(error) });
}
parentPort?.close();

async function done() {
  const { sliceMs, breakMs } = besidePushes;
  const breaks = {
    sliceMs,
    async pause() {
      tellEvents();
      await setTimeout(breakMs);
    },
  };
  const clock = systemClock;
  const call = { signal: stop.signal };
  if (work.name === "drafts") {
    return await discardDrafts(work.choice, { ...work.settings, breaks }, call);
  }
  const storage = await openStorage(work.choice, { access: work.access, clock, breaks });
  try {
    if (work.name === "scrub") {
      const { scrub } = await import("./scrub.ts");
      return await scrub(storage, { ...work.settings, report }, call);
    }
    const { collectGarbage } = await import("./collect.ts");
    return await collectGarbage(storage, { ...work.settings, clock, report }, call);
  } finally {
    await storage.close();
  }
}

function report(event: { is: string }): void {
  events.push(event);
  if (events.length >= mostEvents || event.is === "begun") tellEvents();
}

function tellEvents(): void {
  if (events.length > 0) tell({ is: "events", events });
  events = [];
}

function tell(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}
