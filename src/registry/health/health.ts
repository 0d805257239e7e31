import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { Check } from "./check.ts";

export interface Health {
  /** Why, under the name of each check that fails; nothing while all is well. */
  failures(): Readonly<Record<string, string>>;
  readonly isWell: boolean;
  close(): Promise<void>;
}

export interface HealthParts {
  clock: Clock;
  logger: Logger;
}

/** Runs each check in its own rhythm, from now on. */
export function startHealth(checks: readonly Check[], { clock, logger }: HealthParts): Health {
  const failing = new Map<string, string>();
  const closing = new AbortController();
  const running = checks.map((check) => repeat(check).catch(() => {})); // it ends by `closing` only

  return {
    failures: () => Object.fromEntries(failing),
    get isWell() {
      return failing.size === 0;
    },
    async close() {
      closing.abort();
      await Promise.all(running);
    },
  };

  async function repeat(check: Check): Promise<void> {
    for (let failures = 0; ; ) {
      const reason = await reasonOf(check, closing);
      failures = reason === undefined ? 0 : failures + 1;
      if (reason === undefined) recovered(check);
      else if (failures >= check.threshold) failed(check, reason);
      await clock.sleep(check.intervalMs, closing);
    }
  }

  function failed({ name }: Check, reason: string): void {
    if (!failing.has(name)) logger.error("a health check fails", { check: name, reason });
    failing.set(name, reason);
  }

  function recovered({ name }: Check): void {
    if (failing.delete(name)) logger.info("a health check is well again", { check: name });
  }
}

async function reasonOf(check: Check, { signal }: Call): Promise<string | undefined> {
  try {
    await check.run({ signal });
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return messageOf(error);
  }
}
