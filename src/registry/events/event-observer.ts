import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Call } from "../../base/call.ts";
import type { Metric } from "../../base/instruments.ts";
import type { Inquiry } from "../api/exchange.ts";
import type { RegistryConfig } from "../config.ts";
import type { ImageStore } from "../images/image-store.ts";
import type { Tracing } from "../tracing/tracing.ts";
import type { RegistryEvent } from "./event.ts";
import { type NotificationsParts, openNotifications } from "./notifications.ts";
import { queueDirectoryOf } from "./queue-place.ts";
import { type RuleRemovals, ruleRemovalsTo } from "./rule-removals.ts";
import { type Witness, witnessFor } from "./witness.ts";

export interface EventObserverParts extends Omit<NotificationsParts, "directory" | "tracing"> {
  /** Where a request comes from; empty when nobody says. */
  addressOf(inquiry: Inquiry): string;
  tracing: Tracing | undefined;
}

/** Sees what happens, and tells those whom `notifications` names. */
export interface EventObserver {
  witnessOf(store: ImageStore): Witness;
  ruleRemovals: RuleRemovals;
  metrics(): Metric[];
  close(call: Call): Promise<void>;
}

/**
 * `undefined` when nobody wants to hear of anything.
 *
 * @throws {NotificationsError} when the queue cannot be used
 */
export async function openEventObserver(
  config: RegistryConfig,
  parts: EventObserverParts,
  call: Call,
): Promise<EventObserver | undefined> {
  const { addressOf, tracing, clock, logger } = parts;
  const queued = { ...parts, directory: queueDirectoryOf(config) };
  const sink = await openNotifications(config.notifications, queued, call);
  if (sink === undefined) return undefined;
  const source = sourceOf(config);
  const { includereferences, headpulls } = config.notifications.events;
  return {
    witnessOf: (store) =>
      witnessFor({
        ...{ store, sink, source, addressOf, clock, logger },
        traceparent: () => tracing?.traceparent(),
        ...{ includeReferences: includereferences, headPulls: headpulls },
      }),
    ruleRemovals: ruleRemovalsTo(sink, { source, clock }),
    metrics: sink.metrics,
    close: sink.close,
  };
}

function sourceOf({ http }: RegistryConfig): RegistryEvent["source"] {
  const port = http.net === "unix" ? "" : http.addr.slice(http.addr.lastIndexOf(":"));
  return { addr: `${hostname()}${port}`, instanceID: randomUUID() };
}
