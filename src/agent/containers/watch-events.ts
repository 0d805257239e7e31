import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { backoffMs } from "../../base/retry.ts";
import type { ContainerEvent, ContainerRuntime } from "./runtime.ts";

export interface Listener {
  tell(event: ContainerEvent): void;
  /** From now on nothing is told. */
  lost(): void;
  missed(): void;
}

/** `tested`: its HEALTHCHECK has run, and how that went is not told. */
export type Meaning = "ended" | "began" | "healthy" | "unhealthy" | "tested";

const meanings: readonly [RegExp, Meaning][] = [
  [/^(die|died|destroy|remove|pause)/, "ended"],
  [/^(start|unpause)/, "began"],
  [/^health_status: healthy$/, "healthy"],
  [/^health_status: unhealthy$/, "unhealthy"],
  [/^health_status/, "tested"],
];

/** What an event says of a replica. */
export function meaningOf(action: string): Meaning | undefined {
  return meanings.find(([pattern]) => pattern.test(action))?.[1];
}

const backoff = { firstMs: 500, maximumMs: 15_000 };

/**
 * Tells of what happens to containers until the call ends. An engine that is restarted is listened
 * to again, and `missed` is called, since nobody knows what happened meanwhile.
 */
export async function watchEvents(
  runtime: ContainerRuntime,
  labels: Readonly<Record<string, string>>,
  { tell, lost, missed }: Listener,
  { clock, logger }: { clock: Clock; logger: Logger },
  call: Call,
): Promise<void> {
  let failures = 0;
  for (;;) {
    try {
      for await (const event of runtime.events(labels, call)) {
        failures = 0;
        tell(event);
      }
    } catch (error) {
      if (call.signal.aborted || isEchoOf(call.signal, error)) return;
      failures++;
      lost();
      const level = failures === 1 ? "warn" : "debug";
      logger[level]("The engine's events have ended, and are asked for again", { error });
    }
    try {
      await clock.sleep(backoffMs(backoff, failures), call);
    } catch {
      return;
    }
    missed();
  }
}
