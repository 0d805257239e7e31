import { type Call, isEchoOf, withTimeout } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { OtlpError } from "../../base/otlp-post.ts";
import type { OtlpRequest } from "./otlp-request.ts";
import type { OtlpSender } from "./otlp-sender.ts";

export interface OtlpExportParts {
  sender: OtlpSender;
  /** Reads the metrics as they are now. */
  read(): Promise<OtlpRequest>;
  clock: Clock;
  logger: Logger;
}

export interface OtlpExport {
  /** Sends once more, for at most five seconds, and ends; a failure is only logged. */
  close(call: Call): Promise<void>;
}

/** As the original. */
const periodMs = 15_000;
const flushLimitMs = 5_000;

/**
 * Sends the metrics every 15 seconds. A collector that is down is logged once, and once more when it
 * takes them again; what was counted meanwhile is not lost, since every value counts from the start.
 */
export function startOtlpExport(parts: OtlpExportParts): OtlpExport {
  const { sender, read, clock, logger } = parts;
  const stop = new AbortController();
  let failures = 0;
  const ended = run(stop);

  return {
    async close(call) {
      stop.abort();
      await ended;
      try {
        await withTimeout("the last metrics", flushLimitMs, call, attempt);
      } finally {
        sender.close();
      }
    },
  };

  async function run(call: Call): Promise<void> {
    while (!call.signal.aborted) {
      await clock.sleep(periodMs, call).catch(() => {});
      if (!call.signal.aborted) await attempt(call);
    }
  }

  async function attempt(call: Call): Promise<void> {
    try {
      await sender.send(await read(), call);
    } catch (failure) {
      if (stop.signal.aborted && call.signal === stop.signal) return;
      const error = isEchoOf(call.signal, failure) ? unanswered() : failure;
      failures++;
      const level = failures === 1 ? "warn" : "debug";
      logger[level]("Metrics could not be sent", { error, failures });
      return;
    }
    if (failures > 0) logger.info("Metrics are sent again", { failures });
    failures = 0;
  }
}

/** In place of what the signal says, which names neither what was waited for nor an option. */
const unanswered = () =>
  new OtlpError("TIMEOUT", "the collector did not answer in time, and the last ones are lost", {
    hint: "check --otlp-endpoint",
  });
