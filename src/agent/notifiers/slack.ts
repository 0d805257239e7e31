import * as v from "valibot";
import type { Call } from "../../base/call.ts";
import type { Environment } from "../../base/environment.ts";
import { ConfigError } from "../../base/errors.ts";
import { Secret } from "../../base/secret.ts";
import { isLoopback } from "../../oci/reference.ts";
import type { Notice, Notifier } from "../notifier.ts";
import { commonQuery, decoded, type NotifierLocation, parseQuery, Text } from "./location.ts";
import type { NotifierParts, OpenedNotifier } from "./parts.ts";
import { postMessage, refused, type SlackApi, type SlackRefusal } from "./slack-api.ts";
import {
  type SlackMessage,
  type SlackPlace,
  slackMessage,
  uncustomized,
  unthreaded,
} from "./slack-message.ts";
import { readThread } from "./slack-thread.ts";

const YesOrNoQuery = commonQuery.quiet;
const Link = v.pipe(
  v.string(),
  v.check((text) => /^https?:\/\/[^\s<>]+$/.test(text) && URL.canParse(text), "write an http URL"),
  v.transform((text) => new URL(text).href.replaceAll("|", "%7C")),
);
const defaultBase = "https://slack.com/api/";

/** `slack://channel[?title=&url=&quiet=&thread=]`, with `SLACK_TOKEN`. */
export async function openSlackNotifier(
  location: NotifierLocation,
  { http, clock, environment, directory }: NotifierParts,
): Promise<OpenedNotifier> {
  const entries = { ...commonQuery, thread: YesOrNoQuery, title: v.optional(Text) };
  const query = parseQuery(location, { ...entries, url: v.optional(Link) });
  const channel = channelIn(location);
  const token = tokenIn(environment);
  const place = { channel, title: query.title, url: query.url };
  const api = { base: baseIn(environment), token, http, clock };
  const thread = query.thread ? directory : undefined;
  return { notifier: slackNotifier(api, place, thread), quiet: query.quiet };
}

/** `directory` holds `current`, where notices go to the thread that is named there. */
function slackNotifier(api: SlackApi, place: SlackPlace, directory: string | undefined): Notifier {
  let customizes = true;
  let thread: string | undefined;

  return {
    name: `slack://${place.channel}`,

    async send(notice, call) {
      // A release that names no thread goes on in the last one's.
      if (directory !== undefined) thread = (await readThread(directory)) ?? thread;
      const refusal = await post(messageFor(notice), call);
      if (refusal === undefined) return;
      if (thread === undefined || !isOfThread(refusal)) throw refused(place.channel, refusal);
      thread = undefined;
      const again = await post(unthreaded(messageFor(notice)), call);
      if (again !== undefined) throw refused(place.channel, again);
    },

    async close() {},
  };

  function messageFor(notice: Notice): SlackMessage {
    return slackMessage(notice, place, thread);
  }

  /** The documents ask for `chat:write` alone: without the other scope the name is the app's own. */
  async function post(message: SlackMessage, call: Call): Promise<SlackRefusal | undefined> {
    const refusal = await postMessage(api, customizes ? message : uncustomized(message), call);
    if (!customizes || refusal?.code !== "missing_scope") return refusal;
    if (!refusal.needed?.includes("chat:write.customize")) return refusal;
    customizes = false;
    return await postMessage(api, uncustomized(message), call);
  }
}

function isOfThread({ code }: SlackRefusal): boolean {
  return (
    code === "thread_not_found" || code === "invalid_thread_ts" || code.startsWith("cannot_reply")
  );
}

function channelIn({ place }: NotifierLocation): string {
  const channel = decoded(place).replace(/\/+$/, "").replace(/^#/, "");
  if (channel === "") {
    throw new ConfigError("--notifier: slack:// names no channel", {
      hint: "write it as slack://channel, such as slack://deployments",
    });
  }
  if (/^[^@]+@/.test(channel) || /^xox[a-z]-/i.test(channel)) {
    throw new ConfigError("--notifier: slack:// takes no token in the URL", {
      hint: "set SLACK_TOKEN to it, and write slack://channel",
    });
  }
  if (/^@?[^\s#/:@&<>\p{Cc}]{1,80}$/u.test(channel)) return channel;
  throw new ConfigError("--notifier: slack:// is not followed by the name or ID of a channel", {
    hint: "write it as slack://channel, with the token in SLACK_TOKEN; webhooks are not spoken",
  });
}

function tokenIn({ SLACK_TOKEN }: Environment): Secret {
  if (!SLACK_TOKEN) {
    throw new ConfigError("--notifier: slack:// needs a token, and SLACK_TOKEN has none", {
      hint: "set SLACK_TOKEN to the Bot User OAuth Token of a Slack app with the scope chat:write",
    });
  }
  if (/^[\x21-\x7e]+$/.test(SLACK_TOKEN)) return new Secret(SLACK_TOKEN);
  throw new ConfigError("SLACK_TOKEN: there is a space, a line end or the like in the token", {
    hint: "set SLACK_TOKEN to the token alone",
  });
}

/** Another place than Slack's own, such as a gateway; the token goes there, so it has to be safe. */
function baseIn({ SLACK_API_URL }: Environment): string {
  if (!SLACK_API_URL) return defaultBase;
  const url = URL.canParse(SLACK_API_URL) ? new URL(SLACK_API_URL) : undefined;
  const isSafe = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.host));
  const { username, password, search, hash } = url ?? {};
  if (url === undefined || !isSafe || username || password || search || hash) {
    throw new ConfigError("SLACK_API_URL: this is not an https URL without credentials and query", {
      hint: "write it as https://slack.com/api/, or leave it out",
    });
  }
  return url.href.replace(/\/*$/, "/");
}
