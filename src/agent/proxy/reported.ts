import { isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { Observe } from "../event.ts";
import type { DataPlane } from "./data-plane.ts";

const periodMs = 5_000;

/** Tells every few seconds what `plane` has carried, until it is closed. */
export function reported(
  plane: DataPlane,
  { observe, clock, logger }: { observe: Observe; clock: Clock; logger: Logger },
): DataPlane {
  const closing = new AbortController();
  const reporting = report();
  return {
    ...plane,
    async close(options) {
      closing.abort();
      await reporting;
      observe({ type: "traffic carried", ports: [] });
      await plane.close(options);
    },
  };

  async function report(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        observe({ type: "traffic carried", ports: await plane.statistics(closing) });
      } catch (error) {
        if (isEchoOf(closing.signal, error)) return;
        logger.debug("The traffic could not be counted", { error: messageOf(error) });
      }
      await clock.sleep(periodMs, closing).catch(() => {});
    }
  }
}
