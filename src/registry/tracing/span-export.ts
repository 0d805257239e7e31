import { type Call, isEchoOf, withTimeout } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { OtlpError } from "../../base/otlp-post.ts";
import { backoffMs } from "../../base/retry.ts";
import type { Span } from "./tracer.ts";

export interface SpanExportParts {
  /** @throws {OtlpError}, or the reason of the signal */
  send(spans: readonly Span[], call: Call): Promise<void>;
  clock: Clock;
  logger: Logger;
}

export interface SpanExport {
  /** Nobody waits: of more than there is room for, the newest are dropped. */
  add(span: Span): void;
  /** Sends what is left, for at most five seconds. */
  close(call: Call): Promise<void>;
}

/** As the batch processor of OpenTelemetry's SDKs has them. */
const periodMs = 5_000;
const batchSpans = 512;
const mostSpans = 2_048;
const flushLimitMs = 5_000;
const backoff = { firstMs: 1_000, maximumMs: 60_000 };
const longestAskedMs = 600_000;

/**
 * Sends spans in batches. What a collector does not take now is sent again, as far as there is room;
 * that it is down is logged once, and once more when it takes them again, with how many were lost.
 */
export function startSpanExport({ send, clock, logger }: SpanExportParts): SpanExport {
  const stop = new AbortController();
  const waiting: Span[] = [];
  let filled = () => {};
  let failures = 0;
  let dropped = 0;
  const ended = run();

  return {
    add(span) {
      if (waiting.length >= mostSpans) dropped++;
      else waiting.push(span);
      if (waiting.length >= batchSpans) filled();
    },
    async close(call) {
      stop.abort();
      await ended;
      await withTimeout("the last traces", flushLimitMs, call, async (limited) => {
        while (waiting.length > 0 && (await attempt(limited)) === undefined);
      }).catch(() => {}); // which is no reason not to end
    },
  };

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      await nextBatch();
      const failure = stop.signal.aborted ? undefined : await attempt(stop);
      if (failure) await clock.sleep(pauseMs(failure), stop).catch(() => {});
    }
  }

  /** Until the period is over, or a batch is full. */
  async function nextBatch(): Promise<void> {
    if (waiting.length >= batchSpans) return;
    const limit = new AbortController();
    const end = () => limit.abort();
    stop.signal.addEventListener("abort", end, { once: true });
    filled = end;
    await clock.sleep(periodMs, limit).catch(() => {});
    stop.signal.removeEventListener("abort", end);
  }

  /** Resolves to why a batch was not taken. */
  async function attempt(call: Call): Promise<OtlpError | undefined> {
    if (waiting.length === 0) return undefined;
    const batch = waiting.splice(0, batchSpans);
    try {
      await send(batch, call);
    } catch (error) {
      if (isEchoOf(call.signal, error)) {
        putBack(batch);
        return new OtlpError("TIMEOUT", "the collector did not answer in time");
      }
      const failure =
        error instanceof OtlpError
          ? error
          : new OtlpError("REFUSED", messageOf(error), { cause: error });
      if (failure.code === "REFUSED") dropped += batch.length;
      else putBack(batch);
      failures++;
      logger[failures === 1 ? "warn" : "debug"]("traces could not be sent", { error, failures });
      return failure;
    }
    if (failures > 0 || dropped > 0) logger.info("traces are sent again", { failures, dropped });
    failures = 0;
    dropped = 0;
    return undefined;
  }

  function putBack(batch: readonly Span[]): void {
    const kept = batch.slice(0, Math.max(0, mostSpans - waiting.length));
    waiting.unshift(...kept);
    dropped += batch.length - kept.length;
  }

  function pauseMs({ retryAfterMs = 0 }: OtlpError): number {
    return Math.max(
      backoffMs(backoff, Math.max(1, failures)),
      Math.min(retryAfterMs, longestAskedMs),
    );
  }
}
