import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import type { Environment } from "../../base/environment.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import type { AgentEvent } from "../event.ts";
import { FakeNotifier } from "../notifier.fake.ts";
import { notifyAll, openNotifiers } from "./index.ts";

const complete = {
  SLACK_TOKEN: "xoxb-1",
  MAIL_USERNAME: "me@a.test",
  MAIL_PASSWORD: "hidden-password",
};

describe("openNotifiers", () => {
  it.each([
    "",
    "slack://deployments",
    "slack://#deployments?title=app&url=https://a.test&quiet=true&thread=true",
    "slack://%23deployments",
    "slack://デプロイ",
    "slack://C0123ABCD/",
    "SLACK://deployments?quiet=0",
    "mail://smtp.a.test/you@a.test",
    "mail://smtp.a.test:587/you@a.test?subject=Dewy+Deployment&tls=true",
    "smtp://10.0.0.1:25/you@a.test?quiet=true&tls=false&from=Dewy+<x@a.test>",
    "mail://[2001:db8::1]:465/you@a.test",
    "mail://smtp.a.test?to=you@a.test,them@a.test&port=465&tls=implicit",
    "mail:///you@a.test?host=smtp.a.test&username=a@a.test&password=x",
  ])("takes %j", async (url) => {
    await expect(opened([url])).resolves.toBeDefined();
  });

  it.each<[string, string, string]>([
    ["slack", "slack is not of the form scheme://place", "slack://channel or mail://"],
    ["slack:deployments", "this is not of the form", "slack://channel"],
    ["me:hidden@a.test", "this is not of the form", "slack://channel"],
    ["slak://x", "there is no notifier slak://", "write slack:// instead"],
    [
      "smtps://a.test/you@a.test",
      "there is no notifier smtps://",
      "write mail://host:465/recipient",
    ],
    ["teams://x", "there is no notifier teams://", "choose from: slack://, mail://, smtp://"],
    ["slack://", "names no channel", "such as slack://deployments"],
    ["slack://?title=x", "names no channel", "such as slack://deployments"],
    ["slack://#", "names no channel", "such as slack://deployments"],
    ["slack://xoxb-hidden@x", "takes no token in the URL", "set SLACK_TOKEN"],
    ["slack://xoxb-hidden", "takes no token in the URL", "set SLACK_TOKEN"],
    ["slack://hooks.slack.com/services/hidden", "not followed by the name", "webhooks"],
    ["slack://%zz", "a % in the URL that escapes nothing", "%25"],
    ["slack://x?tittle=y", "slack:// takes no tittle", "write title instead"],
    ["slack://x?region=y", "takes no region", "choose from: quiet, thread, title, url"],
    ["slack://x?title=a&title=b", "has title twice", "leave one out"],
    ["mail://a.test", "does not name a recipient", "mail://host:port/recipient"],
    ["mail:///you@a.test", "does not name the host of the mail server", "add host="],
    ["mail://me:hidden@a.test/you@a.test", "takes nothing with an @ before", "MAIL_PASSWORD"],
    ["mail://you@a.test", "takes nothing with an @ before", "mail://host:port/recipient"],
    ["mail://a b/you@a.test", "not the host of a mail server", "such as mail://smtp"],
    ["mail://a.test:x/you@a.test", "not the host of a mail server", "such as mail://smtp"],
    ["mail://a.test:99999/you@a.test", "not the port of a mail server", "from 1 to 65535"],
    ["mail://a.test/you@a.test?port=0", "not the port of a mail server", "from 1 to 65535"],
    ["mail://a.test/you", "to is not a mail address", "person@example.com"],
    ["mail://a.test/you@a.test,", "to is not a mail address", "person@example.com"],
    ["mail://a.test/you@a.test?from=a b@a.test", "from is not a mail address", "%2B"],
    ["mail://a.test/you@a.test%0d%0aBcc:x@a.test", "to is not a mail address", "person@"],
    ["mail://a.test/you@a.test?from=a%0aBcc:+<x@a.test>", "from is not a mail", "person@"],
    ["mail://a.test/you@a.test?from=a@a.test>%0aRCPT", "from is not a mail", "person@"],
    ["mail://a.test/you@a.test?username=me%0a", "the username is empty, or has a line", "one line"],
    ["mail://a.test/you@a.test?password=a%0ab", "password is empty, or has a line end", "one line"],
    ["mail://a.test/a@a.test?to=b@a.test", "two different values for to", "leave to out"],
    ["mail://a.test:25/a@a.test?port=26", "two different values for port", "leave port out"],
    ["mail://a.test/a@a.test?host=b.test", "two different values for host", "leave host out"],
    ["mail://a.test/a@a.test?passwrod=hidden", "takes no passwrod", "write password instead"],
    ["mail://a.test/a@a.test?password=hidden&password-file=/x", "both password and", "leave one"],
    ["mail://a.test/a@a.test?password-file=/no/such", "/no/such cannot be read (ENOENT)", "check"],
    ["mail://a.test/a@a.test?ca=/no/such", "ca=/no/such cannot be read (ENOENT)", "check the path"],
    ["mail://a.test/a@a.test?ca=/x&tls=false", "with tls=false nothing to check", "leave one"],
    ["mail://a.test/a@a.test?ca=/etc/hostname", "not a PEM file with a certificate", "openssl"],
  ])("refuses %j: %s", async (url, message, hint) => {
    const error = await opened([url]).catch((thrown) => thrown);

    expect(error).toMatchObject({ name: "ConfigError", hint: expect.stringContaining(hint) });
    expect(error.message).toContain(message);
    expect(error.message).not.toMatch(/\n/);
    expect(`${error.message} ${error.hint}`).not.toContain("hidden");
  });

  it.each([
    ["slack://x?quiet=maybe", "quiet: write true or false"],
    ["slack://x?title=", "title: write a value, or leave it out"],
    ["slack://x?url=a.test", "url: write an http URL"],
    ["slack://x?url=https://a.test/<b>", "url: write an http URL"],
    ["mail://a.test/a@a.test?tls=maybe", "tls: write true (STARTTLS"],
    ["mail://a.test/a@a.test?subject=a%0d%0aBcc:+x@a.test", "subject: write one line"],
  ])("refuses %j, naming the option", async (url, message) => {
    await expect(opened([url])).rejects.toThrow(`--notifier: ${message}`);
  });

  it.each<[string, Environment, string]>([
    ["slack://x", {}, "slack:// needs a token, and SLACK_TOKEN has none"],
    ["slack://x", { SLACK_TOKEN: "xoxb-hidden\n" }, "SLACK_TOKEN: there is a space, a line end"],
    ["slack://x", { ...complete, SLACK_API_URL: "http://a.test/" }, "not an https URL"],
    ["slack://x", { ...complete, SLACK_API_URL: "https://a.test/?x" }, "not an https URL"],
    ["slack://x", { ...complete, SLACK_API_URL: "https://u:hidden@a.test/" }, "not an https URL"],
    ["mail://a.test/a@a.test", {}, "the mail has no sender"],
    ["mail://a.test/a@a.test", { ...complete, MAIL_USERNAME: "me" }, "the mail has no sender"],
    ["mail://a.test/a@a.test", { MAIL_USERNAME: "me@a.test" }, "a username, and no password"],
    ["mail://a.test/a@a.test", { MAIL_PASSWORD: "hidden" }, "a password, and no username"],
    ["mail://a.test/a@a.test", { ...complete, MAIL_PASSWORD_FILE: "/x" }, "both MAIL_PASSWORD and"],
    ["mail://a.test/a@a.test", { ...complete, MAIL_FROM: "nobody" }, "from is not a mail address"],
  ])("says what %s is missing in the environment", async (url, environment, message) => {
    const error = await opened([url], environment).catch((thrown) => thrown);

    expect(error).toMatchObject({ name: "ConfigError", hint: expect.any(String) });
    expect(error.message).toContain(message);
    expect(`${error.message} ${error.hint}`).not.toContain("hidden");
  });

  it("refuses a file with an empty password", async () => {
    const directory = await mkdtemp(join(tmpdir(), "dewy-notifiers-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    await writeFile(join(directory, "password"), "\n");

    await expect(
      opened([`mail://a.test/a@a.test?password-file=${directory}/password`], {
        MAIL_USERNAME: "me@a.test",
      }),
    ).rejects.toThrow("--notifier: password-file is empty, or has a line end");
  });

  it("opens none of several when one is wrong", async () => {
    await expect(opened(["slack://x", "teams://y"])).rejects.toThrow("no notifier teams://");
  });
});

describe("telling several notifiers", () => {
  const fetched: AgentEvent = {
    ...{ type: "fetched", tag: "v2", artifact: "a.zip", sizeBytes: 1, from: "registry" },
  };
  const failed: AgentEvent = { type: "poll failed", error: new Error("x"), failures: 1 };

  it("leaves out of a quiet one what is normal", async ({ signal }) => {
    const { notifiers, told, quiet } = fakes();
    const hook = { type: "hook ended", hook: "after-deploy", tag: "v2", durationMs: 1 } as const;

    const events: AgentEvent[] = [fetched, hook, { ...hook, error: new Error("x") }, failed];
    for (const event of [...events, { type: "recovered", failures: 1 } as const]) {
      notifiers.observe(event);
    }
    await notifiers.close({ signal });

    expect(told.sent.map(({ kind }) => kind)).toEqual([
      ...["normal", "hook", "hook", "error", "recovered"],
    ]);
    expect(quiet.sent.map(({ kind, hook }) => [kind, hook?.succeeded])).toEqual([
      ["hook", false],
      ["error", undefined],
      ["recovered", undefined],
    ]);
  });

  it("lets none of them wait for another", async ({ signal }) => {
    const { notifiers, told, quiet, clock } = fakes();
    quiet.before = () => new Promise(() => {});

    notifiers.observe(failed);
    notifiers.observe(fetched);
    await clock.advance(0);
    const closed = notifiers.close({ signal });
    expect(told.sent).toHaveLength(2);
    await clock.advance(5_000);
    await closed;

    expect(quiet.closed).toBe(true);
  });

  it("does not touch the deployment, whatever goes wrong in it", async ({ signal }) => {
    const { notifiers, told, quiet, logger } = fakes();
    told.before = () => {
      throw new TypeError("a bug");
    };
    quiet.close = () => Promise.reject(new TypeError("another bug"));
    const broken = { type: "deployed" } as AgentEvent;

    expect(() => notifiers.observe(failed)).not.toThrow();
    expect(() => notifiers.observe(broken)).not.toThrow();
    await notifiers.close({ signal });

    expect(quiet.sent).toHaveLength(1);
    expect(logger.messages("error").toSorted()).toEqual([
      "a notifier could not be closed",
      "an event could not be told",
      "notice failed",
    ]);
  });
});

function fakes() {
  const [told, quiet] = [new FakeNotifier(), new FakeNotifier()];
  const [clock, logger] = [new FakeClock(), new FakeLogger()];
  const opened = [
    { notifier: told, quiet: false },
    { notifier: quiet, quiet: true },
  ];
  const identity = { app: "shop", host: "web-1", mode: "server" } as const;
  const notifiers = notifyAll(opened, { clock, logger, identity, environment: {} });
  return { notifiers, told, quiet, clock, logger };
}

function opened(urls: readonly string[], environment: Environment = complete) {
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  return openNotifiers(urls, {
    ...{ http, environment, clock: new FakeClock(), logger: new FakeLogger(), directory: "/srv" },
    identity: { app: "shop", host: "web-1", mode: "server" },
  });
}
