import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { notifierContract } from "../notifier.contract.ts";
import { aNotice } from "../notifier.fake.ts";
import { parseLocation } from "./location.ts";
import { openMailNotifier } from "./mail.ts";
import { headersOf, openFakeSmtp, smtpError, textOf } from "./smtp.fake.ts";

const account = { username: "sender@a.test", password: "s3cret+p&ss #1" };
const environment = { MAIL_USERNAME: account.username, MAIL_PASSWORD: account.password };

notifierContract("mail", async () => {
  const smtp = await openFakeSmtp(account);
  const { notifier } = await opened(`mail://127.0.0.1:${smtp.port}/me@a.test?tls=false`);
  return {
    notifier,
    secret: account.password,
    arrived: () => smtp.mails.map(textOf),
    answer(how) {
      smtp.before = (step) => {
        if (how === "is down" && step === "data") throw smtpError(451, "4.3.0 try later");
        if (how === "refuses the credentials" && step === "auth") {
          throw smtpError(535, `5.7.8 wrong: ${account.password}`);
        }
        return how === "never answers" ? new Promise(() => {}) : undefined;
      };
    },
  };
});

describe("a notice by mail", () => {
  it("says what happened, on which host and where", async ({ signal }) => {
    const smtp = await openFakeSmtp(account);
    const { notifier } = await opened(`mail://127.0.0.1:${smtp.port}/me@a.test?tls=false`);

    await notifier.send(aNotice(), { signal });

    const [mail] = smtp.mails;
    expect(mail).toMatchObject({ from: "sender@a.test", to: ["me@a.test"], secure: false });
    expect(mail && headersOf(mail)).toMatchObject({
      from: "sender@a.test",
      to: "me@a.test",
      subject: "Dewy Notification",
      date: "Fri, 02 Jan 2026 03:04:05 +0000",
      "auto-submitted": "auto-generated",
    });
    expect(mail && textOf(mail)).toMatch(
      /^Downloaded artifact for `v1.2.3`\s+Host: web-1\s+App: shop\s+User: \S+\s+Working dir: \/srv\/shop\s/,
    );
  });

  it("reaches several people, in Japanese, from a sender with a name", async ({ signal }) => {
    const smtp = await openFakeSmtp(account);
    const subject = "【本番】デプロイ通知 — とても長い件名は折り返されても読めなければならない";
    const query = new URLSearchParams({ tls: "0", subject, from: "配備係 <dewy@a.test>" });
    const place = `127.0.0.1:${smtp.port}/a@a.test,b%40a.test`;
    const { notifier } = await opened(`smtp://${place}?${query}`);

    await notifier.send(aNotice({ text: "サーバーを再起動しました 🚀" }), { signal });

    const [mail] = smtp.mails;
    expect(mail).toMatchObject({ from: "dewy@a.test", to: ["a@a.test", "b@a.test"] });
    expect(mail && headersOf(mail)).toMatchObject({ subject, from: "配備係 <dewy@a.test>" });
    expect(mail && textOf(mail)).toMatch(/^サーバーを再起動しました 🚀/);
    expect(mail?.raw).toMatch(/^\p{ASCII}*$/u);
  });

  it("arrives whole, whatever its lines look like", async ({ signal }) => {
    const smtp = await openFakeSmtp(account);
    const { notifier } = await opened(`mail://127.0.0.1:${smtp.port}/me@a.test?tls=false`);
    const text = `one\n.\nMAIL FROM:<x@a.test>\n\n..${"long ".repeat(500)}\nSubject: x`;

    await notifier.send(aNotice({ text }), { signal });

    const [mail] = smtp.mails;
    expect(smtp.mails).toHaveLength(1);
    expect(mail && textOf(mail).replaceAll("\r\n", "\n")).toContain(text);
    expect(mail && headersOf(mail).subject).toBe("Dewy Notification");
  });

  it.each([
    [true, "Dewy Before Deploy Hook SUCCESS"],
    [false, "Dewy Before Deploy Hook FAILED"],
  ])("has a subject of its own for a hook (%s)", async (succeeded, subject) => {
    const smtp = await openFakeSmtp(account);
    const { notifier } = await opened(`mail://127.0.0.1:${smtp.port}/me@a.test?tls=false`);
    const hook = { title: "Before Deploy", succeeded, durationMs: 100 };

    await notifier.send(aNotice({ kind: "hook", hook }), new AbortController());

    expect(smtp.mails.map((mail) => headersOf(mail).subject)).toEqual([subject]);
  });

  it.each<[string, string, Environment]>([
    ["the URL", "&username=sender@a.test&password=s3cret%2Bp%26ss+%231", {}],
    ["the environment", "", environment],
  ])("is handed in with the password of %s", async (_where, query, variables) => {
    const smtp = await openFakeSmtp(account);
    const url = `mail://127.0.0.1:${smtp.port}/me@a.test?tls=false${query}`;
    const { notifier } = await opened(url, variables);

    await notifier.send(aNotice(), new AbortController());

    expect(smtp.mails.map(({ username }) => username)).toEqual([account.username]);
  });

  it.each([
    ["password-file", ""],
    ["MAIL_PASSWORD_FILE", "\r\n"],
  ])("is handed in with the password of a file, as it is then (%s)", async (option, ending) => {
    const smtp = await openFakeSmtp(account);
    const path = join(await temporaryDirectory(), "password");
    await writeFile(path, "the old one");
    const inUrl = option === "password-file" ? `&password-file=${path}` : "";
    const variables = { MAIL_USERNAME: account.username, MAIL_PASSWORD_FILE: inUrl ? "" : path };
    const url = `mail://127.0.0.1:${smtp.port}/me@a.test?tls=false${inUrl}`;
    const { notifier } = await opened(url, variables);

    await writeFile(path, account.password + ending);
    await notifier.send(aNotice(), new AbortController());
    await rm(path);

    expect(smtp.mails.map(({ username }) => username)).toEqual([account.username]);
    await expect(notifier.send(aNotice(), new AbortController())).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("cannot be read (ENOENT)"),
    });
  });

  it("goes through a relay that asks for no name", async ({ signal }) => {
    const smtp = await openFakeSmtp(undefined);
    const url = `mail://127.0.0.1:${smtp.port}/me@a.test?tls=false&from=dewy@a.test`;
    const { notifier } = await opened(url, {});

    await notifier.send(aNotice(), { signal });

    expect(smtp.mails).toHaveLength(1);
  });
});

describe("what a mail server refuses", () => {
  it.each([
    ["auth", 535, "UNAUTHORIZED", "does not accept username and password", "MAIL_PASSWORD"],
    ["auth", 454, "UNAVAILABLE", "puts the mail off", "nothing is lost"],
    ["rcpt", 550, "REFUSED", "refuses the mail", "check the addresses"],
    ["rcpt", 450, "UNAVAILABLE", "puts the mail off", "nothing is lost"],
    ["data", 554, "REFUSED", "refuses the mail", "check the addresses"],
    ["connect", 421, "UNAVAILABLE", "puts the mail off", "nothing is lost"],
  ] as const)("is told with what to do: %s %i", async (where, status, code, message, hint) => {
    const smtp = await openFakeSmtp(account);
    const { notifier } = await opened(`mail://127.0.0.1:${smtp.port}/me@a.test?tls=false`);
    smtp.before = (step) => {
      if (step === where) throw smtpError(status, `no, not with ${account.password}`);
    };

    const error = await notifier.send(aNotice(), new AbortController()).catch((thrown) => thrown);

    expect(error).toMatchObject({ code, hint: expect.stringContaining(hint) });
    expect(error.message).toContain(`127.0.0.1:${smtp.port} ${message}: `);
    expect(error.message).toContain("no, not with ***");
  });

  it("names who does not get what others get", async ({ signal }) => {
    const smtp = await openFakeSmtp(account);
    const place = `127.0.0.1:${smtp.port}/me@a.test,gone@a.test`;
    const { notifier } = await opened(`mail://${place}?tls=false`);
    smtp.before = (step, address) => {
      if (step === "rcpt" && address.startsWith("gone")) throw smtpError(450, "gone away");
    };

    await expect(notifier.send(aNotice(), { signal })).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringMatching(/not everybody gets the mail.*gone away/),
    });
    expect(smtp.mails.map(({ to }) => to)).toEqual([["me@a.test"]]);
  });

  it("is never a password in the open: without STARTTLS none is sent", async ({ signal }) => {
    const smtp = await openFakeSmtp(account);
    const asked: string[] = [];
    smtp.before = (step) => void asked.push(step);
    const { notifier } = await opened(`mail://127.0.0.1:${smtp.port}/me@a.test`);

    await expect(notifier.send(aNotice(), { signal })).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringContaining("does not offer STARTTLS"),
      hint: expect.stringContaining("tls=implicit"),
    });
    expect(asked).toEqual(["connect"]);
  });

  it("is a name where the server takes none", async ({ signal }) => {
    const smtp = await openFakeSmtp(undefined);
    const { notifier } = await opened(`mail://127.0.0.1:${smtp.port}/me@a.test?tls=false`);

    await expect(notifier.send(aNotice(), { signal })).rejects.toMatchObject({
      code: "UNAUTHORIZED",
      message: expect.stringContaining("takes no username and password without TLS"),
    });
    expect(smtp.mails).toEqual([]);
  });

  it("is TLS from the start where there is none", async ({ signal }) => {
    const smtp = await openFakeSmtp(account);
    const { notifier } = await opened(`mail://127.0.0.1:${smtp.port}/me@a.test?tls=implicit`);

    await expect(notifier.send(aNotice(), { signal })).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("does not begin with TLS"),
    });
  });

  it("says so when nothing listens there", async ({ signal }) => {
    const { notifier } = await opened("mail://127.0.0.1:1/me@a.test");

    await expect(notifier.send(aNotice(), { signal })).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: "cannot reach 127.0.0.1:1: nothing listens there",
    });
  });
});

describe("opening a mail notifier", () => {
  it.each([
    ["mail://a.test/me@a.test", false],
    ["mail://10.0.0.1:587/me@a.test?quiet=true", true],
    ["mail://[2001:db8::1]:25/me@a.test?quiet=1", true],
    ["smtp://10.0.0.1/me@a.test?quiet=no", false],
  ])("is as quiet as asked, also where the host is a number: %s", async (url, quiet) => {
    expect((await opened(url)).quiet).toBe(quiet);
  });

  it.each([
    ["mail://a.test/me@a.test", "mail://a.test:587/me@a.test"],
    ["mail://a.test/me@a.test?tls=implicit", "mail://a.test:465/me@a.test"],
    ["smtp://[::1]:25/me@a.test,you@a.test", "smtp://[::1]:25/me@a.test,you@a.test"],
    ["mail:///?host=10.0.0.1&port=2525&to=me@a.test", "mail://10.0.0.1:2525/me@a.test"],
    ["mail://a.test:25/?to=me@a.test&port=25", "mail://a.test:25/me@a.test"],
  ])("reads %s as %s", async (url, name) => {
    expect((await opened(url)).notifier.name).toBe(name);
  });

  it.each<[string, Environment, string[]]>([
    ["mail://a.test/me@a.test", environment, []],
    ["mail://a.test/me@a.test?tls=false", environment, ["without TLS"]],
    ["mail://127.0.0.1/me@a.test?tls=false", environment, []],
    ["mail://[::1]/me@a.test?tls=false", environment, []],
    ["mail://a.test/me@a.test?tls=false&from=x@a.test", {}, []],
    ["mail://a.test/me@a.test?username=x@a.test&password=hidden", {}, ["set MAIL_PASSWORD"]],
    [
      "mail://a.test/me@a.test?username=x@a.test&password=hidden&tls=no",
      {},
      ["set MAIL_PASSWORD", "without TLS"],
    ],
  ])("warns of a password that others can see: %s", async (url, variables, warnings) => {
    const { logger } = await opened(url, variables);

    expect(logger.messages("warn")).toEqual(warnings.map((text) => expect.stringContaining(text)));
    expect(JSON.stringify(logger.lines)).not.toContain("hidden");
    expect(JSON.stringify(logger.lines)).not.toContain(account.password);
  });
});

async function opened(url: string, variables: Environment = environment) {
  const logger = new FakeLogger();
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const { notifier, quiet } = await openMailNotifier(parseLocation(url), {
    ...{ http, logger, clock: systemClock, directory: "/srv/shop" },
    environment: variables,
    identity: { app: "shop", host: "web-1", mode: "server" },
  });
  return { notifier, quiet, logger };
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-mail-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
