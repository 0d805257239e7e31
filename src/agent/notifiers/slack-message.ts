import type { Notice } from "../notifier.ts";
import { colorOf } from "./slack-color.ts";

/** Where a notice goes, and what stands below it. */
export interface SlackPlace {
  channel: string;
  title: string | undefined;
  url: string | undefined;
}

/** What is posted to `chat.postMessage` (https://docs.slack.dev/reference/methods/chat.postMessage). */
export interface SlackMessage {
  channel: string;
  /** Both need the scope `chat:write.customize`. */
  username?: string;
  icon_url?: string;
  thread_ts?: string;
  reply_broadcast?: boolean;
  attachments: readonly [SlackAttachment];
}

export interface SlackAttachment {
  color: string;
  /** What a notification on a telephone shows. */
  fallback: string;
  title?: string;
  text: string;
  mrkdwn_in: readonly string[];
  fields?: readonly { title: string; value: string; short: boolean }[];
  footer: string;
  footer_icon: string;
  /** Seconds since 1970. */
  ts: number;
}

const icons = "https://raw.githubusercontent.com/linyows/dewy/main/misc";
const succeededColor = "#36a64f";
const failedColor = "#dd0000";

export function slackMessage(
  notice: Notice,
  place: SlackPlace,
  thread: string | undefined,
): SlackMessage {
  return {
    channel: place.channel,
    username: "Dewy",
    icon_url: `${icons}/dewy-icon.512.png`,
    ...(thread !== undefined && { thread_ts: thread, ...broadcast(notice) }),
    attachments: [attachmentOf(notice, place)],
  };
}

/** The same without what needs a scope that the app may lack. */
export function uncustomized({ username, icon_url, ...message }: SlackMessage): SlackMessage {
  return message;
}

/** The same in the channel itself. */
export function unthreaded({ thread_ts, reply_broadcast, ...message }: SlackMessage): SlackMessage {
  return message;
}

/** A channel that does not look into the thread must still see what goes wrong, and that it ended. */
function broadcast({ kind }: Notice): { reply_broadcast?: true } {
  return kind === "error" || kind === "recovered" ? { reply_broadcast: true } : {};
}

function attachmentOf(notice: Notice, place: SlackPlace): SlackAttachment {
  const { text, at, identity } = notice;
  return {
    color: colorOf(identity.host),
    fallback: escaped(text),
    text: escaped(text),
    mrkdwn_in: ["text"],
    ...hookParts(notice),
    footer: footerOf(notice, place),
    footer_icon: `${icons}/dewy-icon.32.png`,
    ts: Math.floor(at.getTime() / 1000),
  };
}

function hookParts({ hook }: Notice): Partial<SlackAttachment> {
  if (hook === undefined) return {};
  const duration = `${(hook.durationMs / 1000).toFixed(1)}s`;
  return {
    color: hook.succeeded ? succeededColor : failedColor,
    title: `${hook.title} Hook`,
    fields: [{ title: "Duration", value: duration, short: true }],
  };
}

function footerOf({ identity: { app, host } }: Notice, { title, url }: SlackPlace): string {
  const shownHost = escaped(host);
  if (url !== undefined)
    return `<${url}|${escaped(title ?? app).replaceAll("|", "¦")}>/${shownHost}`;
  return title === undefined ? shownHost : `${escaped(title)}/${shownHost}`;
}

/** https://docs.slack.dev/messaging/formatting-message-text, "Escaping text": else `<!channel>` calls all. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
