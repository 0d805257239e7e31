import { type Call, orAborted } from "../../base/call.ts";
import { settlesWithin } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { type Backoff, backoffMs } from "../../base/retry.ts";
import { openTurns } from "../../base/turns.ts";
import type { Endpoint as EndpointConfig } from "../config-notifications.ts";
import { deadLettersIn } from "./dead-letters.ts";
import { isEvent } from "./envelope.ts";
import type { RegistryEvent } from "./event.ts";
import { openEventQueue } from "./event-queue.ts";
import { type Failure, type PostParts, postEvent } from "./post-event.ts";

export interface EndpointParts extends PostParts {
  /** Where the queue and the dead letters of this endpoint are. */
  directory: string;
  maximumBytes: number;
  logger: Logger;
}

/** Where events of one kind or another are sent, one at a time and in order. */
export interface Endpoint {
  readonly name: string;
  readonly pending: number;
  wants(event: Pick<RegistryEvent, "action"> & { target?: RegistryEvent["target"] }): boolean;
  /** As `EventQueue.add`. */
  add(line: string): Promise<void>;
  /** Lets the attempt that is under way end; what is left waits on disk for the next start. */
  close(call: Call): Promise<void>;
}

const longestBackoffMs = 300_000;
const replayEveryMs = 5_000;
const closingMs = 5_000;
const betweenLetters: Backoff = { firstMs: 500, maximumMs: 30_000 };

export async function openEndpoint(
  config: EndpointConfig,
  parts: EndpointParts,
): Promise<Endpoint> {
  const { clock, counts } = parts;
  const logger = parts.logger.with({ endpoint: config.name });
  const dropped = (lines: number, reason: string) => {
    counts.count("Dropped", lines);
    logger.error("notifications were dropped", { events: lines, reason });
  };
  const queue = await openEventQueue({ ...parts, logger, dropped });
  const letters = deadLettersIn(parts.directory, clock);
  const inTurn = openTurns();
  const closing = new AbortController();
  const ending = new AbortController();
  const sending = deliverAll().catch(stopped);
  const replaying = replayAll().catch(stopped);
  const ignored = new Set([...config.ignoredmediatypes, ...config.ignore.mediatypes]);

  return {
    name: config.name,
    get pending() {
      return queue.pending;
    },
    wants({ action, target }) {
      if (config.ignore.actions.includes(action)) return false;
      return target?.mediaType === undefined || !ignored.has(target.mediaType);
    },
    async add(line) {
      counts.count("Events", 1);
      await queue.add(line);
    },
    async close(call) {
      closing.abort();
      const ended = settlesWithin(Promise.all([sending, replaying]), closingMs, clock);
      await orAborted(ended, call.signal).catch(() => {});
      ending.abort();
      await Promise.all([sending, replaying]);
      await queue.close(call);
    },
  };

  async function deliverAll(): Promise<void> {
    for (let failures = 0; ; ) {
      const line = await queue.next(closing);
      if (isEvent(line)) failures = await deliver(line, failures);
      else logger.error("a notification cannot be read, and is lost", { bytes: line.length });
      await queue.done();
    }
  }

  /** Resolves to how many failures there were in a row, when the line is dealt with. */
  async function deliver(line: string, before: number): Promise<number> {
    for (let attempts = 1; ; attempts++) {
      const failure = await postEvent(line, config, parts, ending);
      if (failure === undefined) {
        if (before + attempts > 1) logger.info("notifications arrive again");
        return 0;
      }
      const failures = before + attempts;
      const most = failure.isRefusal ? Math.max(1, config.threshold) : config.maxattempts;
      if (attempts >= Math.min(most, config.maxattempts)) {
        await giveUp(line, { reason: failure.reason, attempts });
        return failures;
      }
      report(failure, failures);
      await clock.sleep(Math.max(failure.askedMs, pauseMs(failures, config)), closing);
    }
  }

  /** Until the dead letters have it, it stays the first of the queue. */
  async function giveUp(line: string, why: { reason: string; attempts: number }): Promise<void> {
    const { id } = JSON.parse(line) as { id: string };
    for (let failures = 1; ; failures++) {
      try {
        await inTurn(() => letters.add(line, why));
        break;
      } catch (error) {
        if (failures === 1) logger.error("a dead letter cannot be written down", { id, error });
        await clock.sleep(backoffMs(betweenLetters, failures), closing);
      }
    }
    counts.count("DeadLetters", 1);
    logger.error("a notification was given up, and is kept with the dead letters", { id, ...why });
  }

  function report({ reason }: Failure, failures: number): void {
    if (failures === 1) logger.warn("a notification was not taken; it is sent again", { reason });
    if (failures !== config.threshold) return;
    logger.error("the endpoint is down: notifications wait for it", { reason, failures });
  }

  async function replayAll(): Promise<void> {
    for (;;) {
      // What the disk does not take stays where it is, rather than in memory alone.
      await inTurn(async () =>
        queue.isStuck ? 0 : await letters.replay((event) => queue.add(event)),
      ).then(
        (events) => events > 0 && logger.info("dead letters are sent again", { events }),
        (error) => logger.error("dead letters cannot be sent again", { error }),
      );
      await clock.sleep(replayEveryMs, closing);
    }
  }

  function stopped(error: unknown): void {
    if (closing.signal.aborted) return;
    logger.error("notifications are no longer sent: start the registry anew", { error });
  }
}

/**
 * At first only a breath: a connection may have been cut. From `threshold` failures on the endpoint
 * counts as down, and `backoff` grows.
 */
export function pauseMs(
  failures: number,
  { threshold, backoff }: Pick<EndpointConfig, "threshold" | "backoff">,
): number {
  if (failures < threshold) {
    return backoffMs({ firstMs: 50, maximumMs: Math.min(1_000, Math.max(50, backoff)) }, failures);
  }
  const firstMs = Math.max(50, backoff);
  const maximumMs = Math.max(longestBackoffMs, backoff);
  return backoffMs({ firstMs, maximumMs }, failures - threshold + 1);
}
