import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { notifierContract } from "../notifier.contract.ts";
import { aNotice } from "../notifier.fake.ts";
import { parseLocation } from "./location.ts";
import { openFakeSlack } from "./slack.fake.ts";
import { openSlackNotifier } from "./slack.ts";

const token = "xoxb-not-to-be-seen";

notifierContract("slack", async () => {
  const { slack, notifier } = await opened("slack://deployments");
  return {
    notifier,
    secret: token,
    arrived: () =>
      slack.posts.map(({ attachments: [{ text, fields = [], footer }] }) =>
        [text, ...fields.map(({ value }) => value), footer].join("\n"),
      ),
    answer(how) {
      slack.answer = () => {
        if (how === "is down") return { status: 503, body: "try later" };
        if (how === "never answers") return { body: undefined };
        return how === "accepts" ? undefined : { body: { ok: false, error: "invalid_auth" } };
      };
    },
  };
});

describe("a notice in Slack", () => {
  it("looks as the original's does", async ({ signal }) => {
    const { slack, notifier } = await opened("slack://deployments");

    await notifier.send(aNotice(), { signal });

    expect(slack.posts).toEqual([
      {
        authorization: `Bearer ${token}`,
        connection: "close",
        channel: "deployments",
        username: "Dewy",
        icon_url: "https://raw.githubusercontent.com/linyows/dewy/main/misc/dewy-icon.512.png",
        attachments: [
          {
            color: "#A2E3A9",
            fallback: "Downloaded artifact for `v1.2.3`",
            text: "Downloaded artifact for `v1.2.3`",
            mrkdwn_in: ["text"],
            footer: "web-1",
            footer_icon:
              "https://raw.githubusercontent.com/linyows/dewy/main/misc/dewy-icon.32.png",
            ts: 1767323045,
          },
        ],
      },
    ]);
  });

  it.each([
    ["", "web-1"],
    ["?title=My+App", "My App/web-1"],
    ["?title=A%3CB&url=https://a.test/x%7Cy", "<https://a.test/x%7Cy|A&lt;B>/web-1"],
    ["?url=https://a.test/", "<https://a.test/|shop>/web-1"],
  ])("says below where it comes from (%s)", async (query, footer) => {
    const { slack, notifier } = await opened(`slack://deployments${query}`);

    await notifier.send(aNotice(), new AbortController());

    expect(slack.posts[0]?.attachments[0].footer).toBe(footer);
  });

  it.each([
    [true, "#36a64f"],
    [false, "#dd0000"],
  ])("shows by its colour what a hook came to (%s)", async (succeeded, color) => {
    const { slack, notifier } = await opened("slack://deployments");
    const hook = { title: "After Deploy", succeeded, durationMs: 90 };

    await notifier.send(aNotice({ kind: "hook", hook }), new AbortController());

    expect(slack.posts[0]?.attachments[0]).toMatchObject({ color, title: "After Deploy Hook" });
  });

  it("calls nobody, whatever an error says", async ({ signal }) => {
    const { slack, notifier } = await opened("slack://deployments");

    await notifier.send(aNotice({ text: "<!channel> & <https://a.test|x>" }), { signal });

    const { text, fallback } = slack.posts[0]?.attachments[0] ?? {};
    expect(text).toBe("&lt;!channel&gt; &amp; &lt;https://a.test|x&gt;");
    expect(fallback).toBe(text);
  });

  it("is posted under the app's own name where the scope for another is missing", async () => {
    const { slack, notifier } = await opened("slack://deployments");
    slack.answer = ({ username }) =>
      username === undefined
        ? undefined
        : { body: { ok: false, error: "missing_scope", needed: "chat:write.customize" } };

    await notifier.send(aNotice({ text: "one" }), new AbortController());
    await notifier.send(aNotice({ text: "two" }), new AbortController());

    expect(slack.posts.map(({ icon_url }) => icon_url)).toEqual([undefined, undefined]);
    expect(slack.requests).toHaveLength(3);
  });
});

describe("a thread in Slack", () => {
  it("is the one the release in current names, and errors show in the channel as well", async () => {
    const directory = await deployedWith(" 1700000000.123456\n");
    const { slack, notifier } = await opened("slack://deployments?thread=true", directory);

    for (const kind of ["normal", "error", "recovered"] as const) {
      await notifier.send(aNotice({ kind }), new AbortController());
    }

    expect(slack.posts.map((post) => [post.thread_ts, post.reply_broadcast])).toEqual([
      ["1700000000.123456", undefined],
      ["1700000000.123456", true],
      ["1700000000.123456", true],
    ]);
  });

  it("changes with the release, and lasts where the next one names none", async ({ signal }) => {
    const directory = await deployedWith("1.1");
    const { slack, notifier } = await opened("slack://deployments?thread=true", directory);
    const file = join(directory, "current", ".slack-thread-ts");

    await notifier.send(aNotice(), { signal });
    await writeFile(file, "2.2");
    await notifier.send(aNotice(), { signal });
    await rm(file);
    await notifier.send(aNotice(), { signal });

    expect(slack.posts.map(({ thread_ts }) => thread_ts)).toEqual(["1.1", "2.2", "2.2"]);
  });

  it.each(["", "../../etc/passwd", "root:x:0:0", "1.1 2.2", "9".repeat(100)])(
    "is none where the file holds %j",
    async (content) => {
      const directory = await deployedWith(content);
      const { slack, notifier } = await opened("slack://deployments?thread=true", directory);

      await notifier.send(aNotice(), new AbortController());

      expect(slack.posts.map(({ thread_ts }) => thread_ts)).toEqual([undefined]);
    },
  );

  it("is left alone unless it was asked for", async ({ signal }) => {
    const directory = await deployedWith("1.1");
    const { slack, notifier } = await opened("slack://deployments", directory);

    await notifier.send(aNotice(), { signal });

    expect(slack.posts[0]?.thread_ts).toBeUndefined();
  });

  it("costs no notice when it is gone", async ({ signal }) => {
    const directory = await deployedWith("1.1");
    const { slack, notifier } = await opened("slack://deployments?thread=true", directory);
    slack.answer = ({ thread_ts }) =>
      thread_ts === undefined ? undefined : { body: { ok: false, error: "thread_not_found" } };

    await notifier.send(aNotice({ kind: "error" }), { signal });

    expect(slack.posts.map((post) => [post.thread_ts, post.reply_broadcast])).toEqual([
      [undefined, undefined],
    ]);
  });
});

it.each([
  ["slack://deployments", false],
  ["slack://deployments?quiet=true", true],
  ["slack://deployments?quiet=off", false],
])("is as quiet as asked: %s", async (url, quiet) => {
  expect((await opened(url)).quiet).toBe(quiet);
});

describe("what Slack refuses", () => {
  it.each([
    ["not_in_channel", "REFUSED", "is not in this channel", "/invite"],
    ["channel_not_found", "REFUSED", "no such channel", "check the spelling"],
    ["is_archived", "REFUSED", "archived", "restore it"],
    ["invalid_auth", "UNAUTHORIZED", "does not accept SLACK_TOKEN", "xoxb-"],
    ["token_revoked", "UNAUTHORIZED", "does not accept SLACK_TOKEN", "xoxb-"],
    ["msg_too_long", "REFUSED", "(msg_too_long)", "docs.slack.dev"],
    ["internal_error", "UNAVAILABLE", "(internal_error)", "slack-status"],
    ["ratelimited", "UNAVAILABLE", "(ratelimited)", "slack-status"],
  ])("is told with what to do: %s", async (error, code, message, hint) => {
    const { slack, notifier } = await opened("slack://deployments");
    slack.answer = () => ({ body: { ok: false, error } });

    await expect(notifier.send(aNotice(), new AbortController())).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
  });

  it("names the scope that is missing", async ({ signal }) => {
    const { slack, notifier } = await opened("slack://deployments");
    slack.answer = () => ({ body: { ok: false, error: "missing_scope", needed: "chat:write" } });

    await expect(notifier.send(aNotice(), { signal })).rejects.toMatchObject({
      message: "slack://deployments: the Slack app lacks the scope chat:write",
    });
  });

  it("passes on how long Slack asks us to wait", async ({ signal }) => {
    const { slack, notifier } = await opened("slack://deployments");
    slack.answer = () => ({ status: 429, headers: { "retry-after": "7" }, body: "slow down" });

    await expect(notifier.send(aNotice(), { signal })).rejects.toMatchObject({
      code: "RATE_LIMITED",
      retryAfterMs: 7_000,
    });
  });

  it.each([
    [{ status: 200, body: "<html>" }, "REFUSED"],
    [{ status: 200, body: "x".repeat(300_000) }, "REFUSED"],
    [{ status: 302, headers: { location: "https://b.test/" }, body: "" }, "REFUSED"],
    [{ status: 404, body: "" }, "REFUSED"],
    [{ status: 500, body: "" }, "UNAVAILABLE"],
  ])("knows an answer that is none of Slack's", async (answer, code) => {
    const { slack, notifier } = await opened("slack://deployments");
    slack.answer = () => answer;

    await expect(notifier.send(aNotice(), new AbortController())).rejects.toMatchObject({ code });
  });

  it("shows no token that an answer repeats", async ({ signal }) => {
    const { slack, notifier } = await opened("slack://deployments");
    slack.answer = () => ({ body: { ok: false, error: `bad token ${token}` } });

    const error = await notifier.send(aNotice(), { signal }).catch((thrown) => thrown);

    expect(error.message).toContain("bad token ***");
    expect(`${error.stack}`).not.toContain(token);
  });

  it("says so when nothing listens there", async ({ signal }) => {
    const { notifier } = await opened("slack://deployments", "/", "http://127.0.0.1:1/");

    await expect(notifier.send(aNotice(), { signal })).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: "cannot reach 127.0.0.1:1: nothing listens there",
    });
  });
});

async function opened(url: string, directory = "/nowhere", api?: string) {
  const slack = await openFakeSlack(token);
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const { notifier, quiet } = await openSlackNotifier(parseLocation(url), {
    ...{ http, directory, clock: systemClock, logger: new FakeLogger() },
    environment: { SLACK_TOKEN: token, SLACK_API_URL: api ?? slack.url },
    identity: { app: "shop", host: "web-1", mode: "server" },
  });
  return { slack, notifier, quiet };
}

async function deployedWith(thread: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-slack-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await mkdir(join(directory, "current"));
  await writeFile(join(directory, "current", ".slack-thread-ts"), thread);
  return directory;
}
