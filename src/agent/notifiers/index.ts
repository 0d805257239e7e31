import type { Call } from "../../base/call.ts";
import { ConfigError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import type { Observe } from "../event.ts";
import type { Notice } from "../notifier.ts";
import { Delivery } from "./delivery.ts";
import { type NotifierLocation, parseLocation } from "./location.ts";
import { openMailNotifier } from "./mail.ts";
import { openNotices } from "./notices.ts";
import type { NotifierParts, OpenedNotifier } from "./parts.ts";
import { openSlackNotifier } from "./slack.ts";

export type { NotifierParts, OpenedNotifier } from "./parts.ts";

type Open = (location: NotifierLocation, parts: NotifierParts) => Promise<OpenedNotifier>;

const drivers: Record<string, Open> = {
  slack: openSlackNotifier,
  mail: openMailNotifier,
  smtp: openMailNotifier,
};

/** What people call them. */
const aliases: Record<string, string | undefined> = {
  smtps: "mail://host:465/recipient",
  mailto: "mail://host:port/recipient",
  email: "mail://host:port/recipient",
};

export interface Notifiers {
  observe: Observe;
  /**
   * Sends what is left for a few seconds, and lets go of everything. The call that ended the agent is
   * over by then: give one of its own, which ends the sending early.
   */
  close(call: Call): Promise<void>;
}

/**
 * Opens the notifiers that `--notifier` names; an empty one names none. Nothing is sent yet.
 *
 * @throws {ConfigError} in one line, for whatever is wrong with a URL or missing for it
 */
export async function openNotifiers(
  urls: readonly string[],
  parts: NotifierParts,
): Promise<Notifiers> {
  const opened: OpenedNotifier[] = [];
  for (const url of urls.filter((one) => one !== "")) opened.push(await openNotifier(url, parts));
  return notifyAll(opened, parts);
}

/** Tells each of `opened` what happens, one not waiting for another, and the app for none of them. */
export function notifyAll(
  opened: readonly OpenedNotifier[],
  parts: Omit<NotifierParts, "http" | "directory">,
): Notifiers {
  const noticeOf = openNotices(parts);
  const deliveries = opened.map(({ notifier, quiet }) => ({
    quiet,
    delivery: new Delivery(notifier, parts),
  }));

  return {
    observe(event) {
      try {
        const notice = noticeOf(event);
        if (notice === undefined) return;
        for (const { quiet, delivery } of deliveries) {
          if (!quiet || isWantedInQuiet(notice)) delivery.add(notice);
        }
      } catch (error) {
        parts.logger.error("an event could not be told", { event: event.type, error });
      }
    },
    async close(call) {
      const closed = deliveries.map(({ delivery }) => delivery.close(call));
      for (const result of await Promise.allSettled(closed)) {
        if (result.status === "fulfilled") continue;
        parts.logger.error("a notifier could not be closed", { error: result.reason });
      }
    },
  };
}

function isWantedInQuiet({ kind, hook }: Notice): boolean {
  return kind !== "normal" && !hook?.succeeded;
}

async function openNotifier(url: string, parts: NotifierParts): Promise<OpenedNotifier> {
  const location = parseLocation(url);
  const { scheme } = location;
  const open = Object.hasOwn(drivers, scheme) ? drivers[scheme] : undefined;
  if (open) return open(location, parts);
  const known = Object.keys(drivers);
  const near = nearest(scheme, known);
  const meant = aliases[scheme] ?? (near && `${near}://`);
  throw new ConfigError(`--notifier: there is no notifier ${scheme}://`, {
    hint: meant ? `write ${meant} instead` : `choose from: ${known.join("://, ")}://`,
  });
}
