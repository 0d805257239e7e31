import { type Call, orAborted } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { LogFields, Logger } from "../../base/logger.ts";
import { type Backoff, backoffMs } from "../../base/retry.ts";
import type { AppIdentity, Observe } from "../event.ts";
import { entryOf, type KnownSoFar } from "./entry.ts";
import { append } from "./journal.ts";

/** So many entries wait for a disk to have room again; with their longest texts, some megabytes. */
const mostWaiting = 500;
const atOnce = 50;
const betweenFailures: Backoff = { firstMs: 5_000, maximumMs: 300_000 };

export interface HistoryParts {
  clock: Clock;
  logger: Logger;
  identity: AppIdentity;
}

/** Keeps what happened to one app, for `dewy history`. */
export interface History {
  /** Queues the event, and returns: entries are written behind the deployment, in order. */
  observe: Observe;
  /** Resolves when all that was observed so far is on disk, or cannot be written for now. */
  settled(): Promise<void>;
  /**
   * Writes what is still waiting. Wants a call that is not over yet, as the app's own may be.
   * What cannot be written is given up, with a warning. May be called twice.
   */
  close(call: Call): Promise<void>;
}

/**
 * Opens the history of the app in `directory`. Nothing is touched before the first entry.
 *
 * A history that cannot be written, as on a full disk, costs one warning until it can be again;
 * entries wait for that, and never a deployment for them.
 */
export function openHistory(directory: string, parts: HistoryParts): History {
  const { clock, identity } = parts;
  const known: KnownSoFar = { registry: undefined, dewy: undefined, tag: undefined };
  const queue = openQueue(directory, parts);

  return {
    observe(event) {
      if (event.type === "started") {
        known.registry = event.registry;
        known.dewy = event.version;
      }
      const at = event.type === "deployed" ? event.at : undefined;
      const entry = entryOf(event, identity, known, at ?? clock.now());
      if (entry) queue.add(JSON.stringify(entry));
      if (event.type === "app started") known.tag = event.tag;
      if (event.type === "deployed") known.tag = event.deployment.tag;
    },
    settled: queue.settled,
    close: queue.close,
  };
}

/** Lines on their way to the disk. */
function openQueue(directory: string, { clock, logger }: HistoryParts) {
  const waiting: string[] = [];
  const closing = new AbortController();
  let lost = 0;
  let written = Promise.resolve();
  let lastTry: ReturnType<typeof writeSome> = Promise.resolve(undefined);
  let writing = false;

  return {
    add(line: string): void {
      if (waiting.length === mostWaiting) {
        lost++;
        return;
      }
      waiting.push(line);
      if (writing) return;
      writing = true;
      written = writeAll();
    },

    async settled(): Promise<void> {
      while (waiting.length > 0) if (await lastTry) return;
    },

    async close({ signal }: Call): Promise<void> {
      closing.abort();
      await orAborted(written, signal).catch(() => {});
      tellLost(waiting.splice(0).length + lost);
    },
  };

  async function writeAll(): Promise<void> {
    for (let failures = 0; waiting.length > 0; ) {
      const isLast = closing.signal.aborted;
      lastTry = writeSome();
      const failure = await lastTry;
      failures = failure ? failures + 1 : 0;
      if (failure && failures === 1) warn("The history could not be written", failure);
      if (failure && isLast) break;
      if (failure) await clock.sleep(backoffMs(betweenFailures, failures), closing).catch(() => {});
    }
    writing = false;
  }

  async function writeSome(): Promise<{ error: unknown } | undefined> {
    const lines = waiting.slice(0, atOnce);
    try {
      await append(directory, lines);
    } catch (error) {
      return { error };
    }
    waiting.splice(0, lines.length);
    tellLost(lost);
    return undefined;
  }

  function tellLost(entries: number): void {
    lost = 0;
    if (entries > 0) warn("Entries of the history are lost", { entries });
  }

  function warn(message: string, fields: LogFields): void {
    logger.warn(message, { directory, ...fields });
  }
}
