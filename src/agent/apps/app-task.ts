import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { ConfigError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { type Backoff, backoffMs } from "../../base/retry.ts";
import type { AppOptions } from "../app-options.ts";
import type { SharedPorts } from "./shared-ports.ts";

const betweenStarts: Backoff = { firstMs: 1_000, maximumMs: 60_000 };
/** An app that ran for so long is well; what ends it then is the first failure again. */
const wellAfterMs = 600_000;

export interface AppTaskParts {
  /** Runs the app until the call ends, and lets it drain. Only a failure ends it before. */
  run(app: AppOptions, call: Call): Promise<void>;
  clock: Clock;
  logger: Logger;
  ports: Pick<SharedPorts, "hold" | "release">;
}

export interface AppTaskOptions {
  app: AppOptions;
  /** The options the app ran with before, to go back to when it is refused with the new ones. */
  fallback: AppOptions | undefined;
  /** Settles when what it needs, such as its port, is free. */
  ready: Promise<unknown>;
  /** Whether the fallback can run beside what else there is now. */
  mayFallBack(fallback: AppOptions): boolean;
}

/** One app of several, kept running. Its failures are its own. */
export interface AppTask {
  /** What it was started for, even where it has fallen back. */
  readonly app: AppOptions;
  /** What it runs with; `undefined` where it does not, since it was refused. */
  readonly running: AppOptions | undefined;
  /** Why it does not run, or not with what it was started for. */
  readonly refusal: ConfigError | undefined;
  /** Resolves when it has come to rest: stopped and drained, or refused. Never rejects. */
  readonly done: Promise<void>;
  stop(reason: unknown): void;
}

/**
 * Starts `app` once it can be, and again, later and later, whenever it fails.
 *
 * Options that are refused are not tried again: nothing but a change to them can help. An app that
 * was running before its options changed goes on with those it had.
 */
export function startAppTask(options: AppTaskOptions, parts: AppTaskParts): AppTask {
  const { app, fallback, ready, mayFallBack } = options;
  const logger = parts.logger.with({ app: app.name });
  const stopped = new AbortController();
  const { signal } = stopped;
  let running: AppOptions | undefined = fallback;
  let refusal: ConfigError | undefined;

  const done = work();
  return {
    app,
    get running() {
      return running;
    },
    get refusal() {
      return refusal;
    },
    done,
    stop: (reason) => stopped.abort(reason),
  };

  async function work(): Promise<void> {
    await ready;
    refusal = await keepRunning(app);
    if (!refusal) return;
    if (!fallback || !mayFallBack(fallback)) {
      running = undefined;
      letGo(app);
      logger.error("the app is refused and does not run until the next reload", { error: refusal });
      return;
    }
    logger.error("the app is refused and goes on as it was", { error: refusal });
    const again = await keepRunning(fallback);
    if (!again) return;
    running = undefined;
    letGo(app);
    logger.error("the app does not run as it was either", { error: again });
  }

  /** @returns why it cannot be started with these options; nothing after it was stopped. */
  async function keepRunning(wanted: AppOptions): Promise<ConfigError | undefined> {
    for (let failures = 0; !signal.aborted; ) {
      const since = parts.clock.now().getTime();
      if (failures === 0) running = wanted;
      const error = await failureOf(wanted);
      if (signal.aborted) return undefined;
      if (error instanceof ConfigError && failures === 0) return error;
      letGo(wanted);
      const wasWell = parts.clock.now().getTime() - since > wellAfterMs;
      failures = wasWell ? 1 : failures + 1;
      const waitMs = Math.round(backoffMs(betweenStarts, failures));
      logger.error("the app failed and is started again", { error, failures, waitMs });
      await parts.clock.sleep(waitMs, stopped).catch(() => {});
    }
    return undefined;
  }

  /** Nobody is to wait at a port for an app that may not come. */
  function letGo({ ports }: AppOptions): void {
    parts.ports.release((port) => !ports.includes(port));
  }

  async function failureOf(wanted: AppOptions): Promise<unknown> {
    try {
      await parts.run(wanted, { signal });
      return new Error("it ended by itself");
    } catch (error) {
      if (signal.aborted && !isEchoOf(signal, error)) {
        logger.error("the app did not stop as it should", { error });
      }
      return error;
    }
  }
}
