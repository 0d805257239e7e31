import { type Metric, openCounter } from "../../base/instruments.ts";

/** What can be counted of an event; `Dropped` and `DeadLetters` are ours. */
export type CountedEvent =
  | "Events"
  | "Successes"
  | "Failures"
  | "Errors"
  | "Dropped"
  | "DeadLetters";

const counted: readonly CountedEvent[] = [
  ...(["Events", "Successes", "Failures"] as const),
  ...(["Errors", "Dropped", "DeadLetters"] as const),
];

/** The counts of one endpoint. */
export interface EndpointCounts {
  count(type: CountedEvent, events: number): void;
  /** `status` is code and phrase: `200 OK`. */
  answered(status: string): void;
}

export interface NotificationMetrics {
  of(endpoint: string): EndpointCounts;
  read(pending: readonly { name: string; pending: number }[]): Metric[];
}

/** Under Distribution's names. */
export function openNotificationMetrics(): NotificationMetrics {
  const events = openCounter({
    ...{ name: "events", prometheus: "registry_notifications_events_total" },
    ...{ help: "The number of total events", unit: "" },
  });
  const statuses = openCounter({
    ...{ name: "status", prometheus: "registry_notifications_status_total" },
    ...{ help: "The number of status code", unit: "" },
  });
  return {
    of(endpoint) {
      for (const type of counted) events.add({ type, endpoint }, 0);
      return {
        count: (type, number) => events.add({ type, endpoint }, number),
        answered: (code) => statuses.add({ code, endpoint }, 1),
      };
    },
    read: (endpoints) => [events.read(), statuses.read(), pendingMetric(endpoints)],
  };
}

function pendingMetric(endpoints: readonly { name: string; pending: number }[]): Metric {
  return {
    ...{ name: "pending", prometheus: "registry_notifications_pending_total" },
    ...{ help: "The gauge of pending events in queue", unit: "", kind: "gauge" },
    series: endpoints.map(({ name, pending }) => ({ labels: { endpoint: name }, value: pending })),
  };
}
