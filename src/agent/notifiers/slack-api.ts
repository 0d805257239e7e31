import * as v from "valibot";
import { collect } from "../../base/bytes.ts";
import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import { DewyError, messageOf } from "../../base/errors.ts";
import type { HttpAnswer, HttpClient } from "../../base/http-client.ts";
import { HttpError } from "../../base/http-error.ts";
import { retryAfterMs } from "../../base/retry-after.ts";
import { Secret } from "../../base/secret.ts";
import type { NotifierError } from "../notifier.ts";
import { failure } from "./notifier-failure.ts";
import type { SlackMessage } from "./slack-message.ts";

export interface SlackApi {
  /** Ends with a slash. */
  base: string;
  token: Secret;
  http: HttpClient;
  clock: Clock;
}

/** What Slack says when it does not post. */
export interface SlackRefusal {
  /** One of https://docs.slack.dev/reference/methods/chat.postMessage#errors */
  code: string;
  /** The scope that is missing. */
  needed: string | undefined;
}

const Answer = v.object({
  ok: v.boolean(),
  error: v.optional(v.string(), "unknown"),
  needed: v.optional(v.string()),
});
const maximumAnswerBytes = 256 * 1024;

/**
 * Posts one message, and resolves to why it was not, or to `undefined`.
 *
 * @throws {NotifierError} where there is no answer of Slack's
 */
export async function postMessage(
  api: SlackApi,
  message: SlackMessage,
  call: Call,
): Promise<SlackRefusal | undefined> {
  const { host } = new URL(api.base);
  try {
    const answer = await api.http.request(requestFor(api, message), call);
    if (answer.status !== 200) throw notAnswered(answer, host, api.clock);
    const { ok, error, needed } = await answerIn(answer, host);
    return ok ? undefined : { code: answer.conceal(error), needed };
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    throw failure("UNAVAILABLE", error.message, { cause: error, hint: error.hint });
  }
}

function requestFor({ base, token }: SlackApi, message: SlackMessage) {
  return {
    method: "POST",
    url: `${base}chat.postMessage`,
    headers: {
      authorization: new Secret(`Bearer ${token.reveal()}`),
      "content-type": "application/json; charset=utf-8",
      // Hours pass between notices: one sent over a connection that was closed meanwhile would fail.
      connection: "close",
    },
    body: JSON.stringify(message),
    redirect: "manual",
  } as const;
}

function notAnswered(answer: HttpAnswer, host: string, clock: Clock): NotifierError {
  const { status, headers } = answer;
  answer.discard();
  const waitMs = retryAfterMs(headers, clock.now());
  if (status === 429) return rateLimited(host, waitMs);
  const passes = status >= 500 || status === 408;
  return failure(passes ? "UNAVAILABLE" : "REFUSED", `${host} answered ${status}`, {
    hint: passes ? "see https://slack-status.com" : "check SLACK_API_URL, and the proxy in between",
    retryAfterMs: waitMs,
  });
}

function rateLimited(host: string, waitMs: number | undefined): NotifierError {
  return failure("RATE_LIMITED", `${host} takes no more messages for now (429)`, {
    hint: "nothing is lost yet; let fewer hosts or apps post to one channel, or add quiet=true",
    retryAfterMs: waitMs,
  });
}

async function answerIn(answer: HttpAnswer, host: string) {
  const bytes = await collect(answer.body, maximumAnswerBytes).catch((error) => {
    if (error instanceof HttpError || !(error instanceof DewyError)) throw error;
    throw failure("REFUSED", `${host}: ${messageOf(error)}`, { hint: "check SLACK_API_URL" });
  });
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), Answer), bytes.toString());
  if (result.success) return result.output;
  throw failure("REFUSED", `${host} does not answer as Slack does`, {
    hint: "check SLACK_API_URL, and the proxy in between",
  });
}

const tokenCodes =
  /^(?:invalid_auth|not_authed|account_inactive|token_revoked|token_expired|no_permission|org_login_required|not_allowed_token_type|ekm_access_denied)$/;
const passingCodes =
  /^(?:internal_error|fatal_error|service_unavailable|request_timeout|team_added_to_org|ratelimited|rate_limited|message_limit_exceeded)$/;

/** What a refusal means for whoever runs this host, and what they can do about it. */
export function refused(channel: string, { code, needed }: SlackRefusal): NotifierError {
  const place = `slack://${channel}`;
  if (tokenCodes.test(code)) {
    return failure("UNAUTHORIZED", `${place}: Slack does not accept SLACK_TOKEN (${code})`, {
      hint: "set it to the Bot User OAuth Token of the Slack app, which begins with xoxb-, and restart",
    });
  }
  if (passingCodes.test(code)) {
    return failure("UNAVAILABLE", `${place}: Slack cannot post now (${code})`, {
      hint: "see https://slack-status.com",
    });
  }
  if (code === "missing_scope") {
    return failure("UNAUTHORIZED", `${place}: the Slack app lacks the scope ${needed}`, {
      hint: `add ${needed} under OAuth & Permissions, and install the app again`,
    });
  }
  const [sentence, hint] = sentences[code] ?? [
    `Slack refuses the message (${code})`,
    "look it up at https://docs.slack.dev/reference/methods/chat.postMessage#errors",
  ];
  return failure("REFUSED", `${place}: ${sentence}`, { hint });
}

const sentences: Record<string, [sentence: string, hint: string] | undefined> = {
  not_in_channel: [
    "the Slack app is not in this channel (not_in_channel)",
    "invite it there, by /invite and the name of the app",
  ],
  channel_not_found: [
    "Slack shows no such channel to the app (channel_not_found)",
    "check the spelling; where the channel is private, invite the app first, by /invite and its name",
  ],
  is_archived: [
    "this channel is archived (is_archived)",
    "restore it, or name another in --notifier",
  ],
};
