import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { RunningMode } from "./mode.ts";
import { openProving, type ProvingOptions } from "./proving.ts";

/** `dewy assets`: files are in service as soon as `current` names them, and stay when the agent ends. */
export function openAssetsMode(
  options: ProvingOptions,
  parts: { clock: Clock; logger: Logger },
): RunningMode {
  const { logger } = parts;
  const proving = openProving(options, parts);
  const never = new Promise<undefined>(() => {});
  return {
    async start({ tag, ...call }) {
      await proving.ready({ tag }, call);
      const bake = (each: Call) => proving.bake({ tag }, never, each);
      return { bake, commit() {}, async undo() {} };
    },
    async keepRunning() {},
    async goBack() {},
    onDeath() {},
    lastWords: async () => [],
    async restart() {
      logger.info("Nothing to restart: files are served without a process of ours");
    },
    async close() {},
  };
}
