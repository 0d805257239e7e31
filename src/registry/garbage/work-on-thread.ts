import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Call } from "../../base/call.ts";
import {
  errorOf,
  type ThreadMessage,
  type ThreadWork,
  type WorkName,
  type Works,
} from "./thread-work.ts";

/** What the thread runs; `undefined` where the program was not built, which Node 20 cannot run. */
export const threadProgram = import.meta.url.endsWith(".js")
  ? fileURLToPath(new URL("./thread-program.js", import.meta.url))
  : undefined;

/**
 * Does it on a thread of its own, with files of its own on the same directory. What is reported comes
 * a little later, in the same order.
 *
 * @throws what the work does
 */
export async function workOnThread<Name extends WorkName>(
  work: ThreadWork<Name>,
  report: (event: Works[Name]["event"]) => void,
  { signal }: Call,
): Promise<Works[Name]["totals"]> {
  signal.throwIfAborted();
  const worker = new Worker(threadProgram ?? "", { workerData: work, execArgv: [] });
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
function endOf<Event, Totals>(worker: Worker, report: (event: Event) => void): Promise<Totals> {
  let outcome: { totals: Totals } | Error | undefined;
  worker.on("message", (message: ThreadMessage<Event, Totals>) => {
    if (message.is === "events") for (const event of message.events) report(event);
    if (message.is === "ended") outcome = { totals: message.totals };
    if (message.is === "failed") outcome = errorOf(message.failure);
  });
  worker.on("error", (error) => {
    outcome = error;
  });
  return new Promise((resolve, reject) => {
    worker.on("exit", () => {
      outcome ??= new Error("the thread ended without a word");
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome.totals);
    });
  });
}
