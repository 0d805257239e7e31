import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Call } from "../../base/call.ts";
import type { StorageChoice } from "../storage/index.ts";
import type { CollectOptions } from "./collect.ts";
import { type CollectionMessage, type CollectionTask, errorOf } from "./collection-message.ts";
import type { GarbageTotals } from "./garbage-event.ts";

/** What the thread runs; `undefined` where the program was not built, which Node 20 cannot run. */
export const threadProgram = import.meta.url.endsWith(".js")
  ? fileURLToPath(new URL("./collection-thread.js", import.meta.url))
  : undefined;

/**
 * Collects on a thread of its own, with files of its own on the same directory; otherwise as
 * `collectGarbage`. What is reported comes a little later, in the same order.
 */
export async function collectOnThread(
  choice: StorageChoice,
  { report, clock: _, ...settings }: CollectOptions,
  { signal }: Call,
): Promise<GarbageTotals> {
  signal.throwIfAborted();
  const workerData: CollectionTask = { choice, settings };
  const worker = new Worker(threadProgram ?? "", { workerData, execArgv: [] });
  const stop = () => worker.postMessage("stop");
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await endOf(worker, report);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Resolves when the thread is gone: until then it may still write. */
function endOf(worker: Worker, report: CollectOptions["report"]): Promise<GarbageTotals> {
  let outcome: GarbageTotals | Error | undefined;
  worker.on("message", (message: CollectionMessage) => {
    if (message.is === "events") for (const event of message.events) report(event);
    if (message.is === "ended") outcome = message.totals;
    if (message.is === "failed") outcome = errorOf(message.failure);
  });
  worker.on("error", (error) => {
    outcome = error;
  });
  return new Promise((resolve, reject) => {
    worker.on("exit", () => {
      outcome ??= new Error("the thread of the collection ended without a word");
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    });
  });
}
