import { bodyOf, serve } from "../../base/local-server.fake.ts";
import type { SlackMessage } from "./slack-message.ts";

export interface SlackPost extends SlackMessage {
  authorization: string | undefined;
  connection: string | undefined;
}

export type SlackAnswer = {
  status?: number;
  headers?: Record<string, string>;
  /** The body of the answer; `undefined` leaves the request open. */
  body: object | string | undefined;
};

export interface FakeSlack {
  url: string;
  /** What was posted and taken. */
  posts: SlackPost[];
  requests: SlackPost[];
  /** Answers what the function returns; `undefined` takes the message. */
  answer: (post: SlackPost) => SlackAnswer | undefined;
}

/** Slack's `chat.postMessage`, as far as its documents say, on a port of this machine. */
export async function openFakeSlack(token: string): Promise<FakeSlack> {
  const { url } = await serve(async (request, response) => {
    if (request.url !== "/api/chat.postMessage") return response.writeHead(404).end();
    const body = JSON.parse(String(await bodyOf(request))) as SlackMessage;
    const { authorization, connection } = request.headers;
    const post = { ...body, authorization, connection };
    slack.requests.push(post);
    const known = post.authorization === `Bearer ${token}`;
    const invalid: SlackAnswer = { body: { ok: false, error: "invalid_auth" } };
    const refusal = known ? slack.answer(post) : invalid;
    if (refusal && refusal.body === undefined) return undefined;
    if (refusal === undefined) slack.posts.push(post);
    const taken: SlackAnswer = { body: { ok: true, ts: "1.2" } };
    const { status = 200, headers = {}, body: text } = refusal ?? taken;
    response.writeHead(status, { "content-type": "application/json", ...headers });
    return response.end(typeof text === "string" ? text : JSON.stringify(text));
  });
  const slack: FakeSlack = {
    url: new URL("/api/", url).href,
    posts: [],
    requests: [],
    answer: () => undefined,
  };
  return slack;
}
