import type { Logger } from "../../base/logger.ts";
import { startNothing } from "../deploy/activate.ts";
import type { RunningMode } from "./mode.ts";

/** `dewy assets`: files are in service as soon as `current` names them, and stay when the agent ends. */
export function openAssetsMode({ logger }: { logger: Logger }): RunningMode {
  return {
    start: startNothing,
    async keepRunning() {},
    async restart() {
      logger.info("Nothing to restart: files are served without a process of ours");
    },
    async close() {},
  };
}
