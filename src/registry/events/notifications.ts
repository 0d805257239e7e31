import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Call } from "../../base/call.ts";
import { type Clock, settlesWithin } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { DewyError, messageOf } from "../../base/errors.ts";
import { openHttpClient } from "../../base/http-client.ts";
import type { Metric } from "../../base/instruments.ts";
import { openLock } from "../../base/lock.ts";
import type { Logger } from "../../base/logger.ts";
import { makeDirectory } from "../../base/make-directory.ts";
import type { Notifications as NotificationsConfig } from "../config-notifications.ts";
import type { Tracing } from "../tracing/tracing.ts";
import { type Endpoint, openEndpoint } from "./endpoint.ts";
import type { EventSink } from "./event.ts";
import { openNotificationMetrics } from "./notification-metrics.ts";
import { endpointDirectory } from "./queue-place.ts";

/** The directory of the notifications cannot be used. */
export class NotificationsError extends DewyError<"UNAVAILABLE"> {}

export interface NotificationsParts {
  /** Where the queues are; without one they end with this process. */
  directory: string | undefined;
  clock: Clock;
  logger: Logger;
  /** For proxies. */
  environment: Environment;
  tracing: Pick<Tracing, "http"> | undefined;
}

export interface Notifications extends EventSink {
  /** Distribution's `registry_notifications_…`. */
  metrics(): Metric[];
  close(call: Call): Promise<void>;
}

/** A push waits no longer than this for its event to be written down. */
const longestWaitMs = 1_000;

/**
 * Sends what happens to the endpoints of `config`; `undefined` when there is none.
 *
 * @throws {NotificationsError} when the directory of the queues cannot be used
 * @throws {ConfigError} when another process uses it
 */
export async function openNotifications(
  config: NotificationsConfig,
  parts: NotificationsParts,
  call: Call,
): Promise<Notifications | undefined> {
  const enabled = config.endpoints.filter(({ disabled }) => !disabled);
  if (enabled.length === 0) return undefined;
  const { clock, logger, environment, tracing } = parts;
  const place = await openPlace(parts, call);
  const untraced = openHttpClient({ userAgent: "dewy", environment });
  const http = tracing?.http(untraced) ?? untraced;
  const metrics = openNotificationMetrics();
  const endpoints: Endpoint[] = [];
  const close = async (call: Call) => {
    await Promise.all(endpoints.map((endpoint) => endpoint.close(call)));
    http.close();
    await place.close();
  };
  try {
    for (const endpoint of enabled) {
      const directory = endpointDirectory(place.directory, endpoint.name);
      const counts = metrics.of(endpoint.name);
      const maximumBytes = config.queue.maxsize;
      const { version } = config.events;
      const opened = { directory, counts, maximumBytes, version, http, clock, logger };
      endpoints.push(await openEndpoint(endpoint, opened));
    }
  } catch (error) {
    await close(call);
    throw unusable(place.directory, error);
  }
  return {
    wants: (action) => endpoints.some((endpoint) => endpoint.wants({ action })),
    async publish(event) {
      const line = JSON.stringify(event);
      const added = endpoints
        .filter((endpoint) => endpoint.wants(event))
        .map((endpoint) => endpoint.add(line));
      await settlesWithin(Promise.all(added), longestWaitMs, clock);
    },
    metrics: () => metrics.read(endpoints),
    close,
  };
}

/** A directory that nobody else sends from. */
async function openPlace({ directory, logger }: NotificationsParts, call: Call) {
  if (directory === undefined) {
    const made = await mkdtemp(join(tmpdir(), "dewy-notifications-"));
    logger.warn("notifications do not outlive this process: set notifications.queue.directory");
    return { directory: made, close: () => rm(made, { recursive: true, force: true }) };
  }
  try {
    await makeDirectory(directory, 0o700);
    const lock = await openLock(join(directory, "lock"), directory, call);
    return { directory, close: () => lock.close() };
  } catch (error) {
    throw unusable(directory, error);
  }
}

function unusable(directory: string, error: unknown): DewyError {
  if (error instanceof DewyError) return error;
  const why = `the directory of the notifications, ${directory}, cannot be used`;
  return new NotificationsError("UNAVAILABLE", `${why}: ${messageOf(error)}`, {
    cause: error,
    hint: "give this user the right to write there, or set notifications.queue.directory",
  });
}
