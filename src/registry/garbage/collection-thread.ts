/** The program of a thread that collects once: see `collectOnThread`. */
import { setTimeout } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "../../base/clock.ts";
import { stepBack } from "../../base/step-back.ts";
import { besidePushes, openStorage } from "../storage/index.ts";
import { collectGarbage } from "./collect.ts";
import { type CollectionMessage, type CollectionTask, failureOf } from "./collection-message.ts";
import type { GarbageEvent } from "./garbage-event.ts";

/** The serving thread logs each of them, and has other things to do as well. */
const mostEvents = 50;

const { choice, settings } = workerData as CollectionTask;
const stop = new AbortController();
let events: GarbageEvent[] = [];

parentPort?.once("message", () => stop.abort(new Error("the registry is closing")));
stepBack();
try {
  const totals = await collected();
  tellEvents();
  tell({ is: "ended", totals });
} catch (error) {
  tellEvents();
  tell({ is: "failed", failure: failureOf(error) });
}
parentPort?.close();

async function collected() {
  const { sliceMs, breakMs } = besidePushes;
  const breaks = {
    sliceMs,
    async pause() {
      tellEvents();
      await setTimeout(breakMs);
    },
  };
  const clock = systemClock;
  const access = settings.dryRun ? "read" : "write";
  const storage = await openStorage(choice, { access, clock, breaks });
  const options = { ...settings, clock, report };
  try {
    return await collectGarbage(storage, options, { signal: stop.signal });
  } finally {
    await storage.close();
  }
}

function report(event: GarbageEvent): void {
  events.push(event);
  if (events.length >= mostEvents || event.is === "begun") tellEvents();
}

function tellEvents(): void {
  if (events.length > 0) tell({ is: "events", events });
  events = [];
}

function tell(message: CollectionMessage): void {
  parentPort?.postMessage(message);
}
