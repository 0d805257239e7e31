import { afterAll, beforeAll, expect, it } from "vitest";
import { aNotice } from "../../src/agent/notifier.fake.ts";
import { parseLocation } from "../../src/agent/notifiers/location.ts";
import { openMailNotifier } from "../../src/agent/notifiers/mail.ts";
import { openFakeSmtp } from "../../src/agent/notifiers/smtp.fake.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { FakeLogger } from "../../src/base/logger.fake.ts";
import { describeWith } from "../component.ts";
import { type Authority, type Certificate, openAuthority } from "./certificates.ts";

const account = { username: "sender@a.test", password: "hidden" };

describeWith("openssl")("mail over TLS", () => {
  let authority: Authority;
  let certificate: Certificate;
  beforeAll(async () => {
    authority = await openAuthority();
    certificate = await authority.issue("mail");
  });
  afterAll(() => authority?.close());

  it.each([
    ["STARTTLS", false, "127.0.0.1", "true"],
    ["STARTTLS", false, "localhost", "true"],
    ["TLS from the start", true, "127.0.0.1", "implicit"],
    ["TLS from the start", true, "localhost", "implicit"],
  ])("is handed in by %s (%s, %s)", async (_how, secure, host, tls) => {
    const smtp = await openFakeSmtp(account, serverOptions(secure));
    const query = `tls=${tls}&ca=${authority.ca.cert}`;
    const notifier = await opened(`mail://${host}:${smtp.port}/me@a.test?${query}`);

    await notifier.send(aNotice(), new AbortController());

    expect(smtp.mails).toMatchObject([{ secure: true, username: account.username }]);
  });

  it.each([
    ["true", false, ""],
    ["implicit", true, ""],
  ])("is not handed to a server nobody vouches for (tls=%s)", async (tls, secure, query) => {
    const smtp = await openFakeSmtp(account, serverOptions(secure));
    const asked = steps(smtp);
    const notifier = await opened(`mail://127.0.0.1:${smtp.port}/me@a.test?tls=${tls}${query}`);

    await expect(notifier.send(aNotice(), new AbortController())).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringContaining(`the certificate of 127.0.0.1:${smtp.port} is not trusted`),
      hint: expect.stringContaining("ca=PATH"),
    });
    expect(asked).not.toContain("auth");
  });

  it("is not handed to a server whose certificate is for another", async ({ signal }) => {
    const { pem } = await authority.issue("other", "DNS:other.test");
    const smtp = await openFakeSmtp(account, { ...serverOptions(false), ...pem });
    const asked = steps(smtp);
    const url = `mail://127.0.0.1:${smtp.port}/me@a.test?ca=${authority.ca.cert}`;

    await expect((await opened(url)).send(aNotice(), { signal })).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringContaining("is not trusted"),
    });
    expect(asked).not.toContain("auth");
  });

  it("is none at all with tls=false, also where the server offers it", async ({ signal }) => {
    const smtp = await openFakeSmtp(account, serverOptions(false));
    const notifier = await opened(`mail://127.0.0.1:${smtp.port}/me@a.test?tls=false`);

    await notifier.send(aNotice(), { signal });

    expect(smtp.mails).toMatchObject([{ secure: false, username: account.username }]);
  });

  it("waits no longer than it may for a server that begins with TLS", async () => {
    const smtp = await openFakeSmtp(account, serverOptions(true));
    const notifier = await opened(`mail://127.0.0.1:${smtp.port}/me@a.test?tls=true`);
    const stop = new AbortController();
    const result = notifier.send(aNotice(), stop);
    setTimeout(() => stop.abort(new Error("enough")), 300);

    await expect(result).rejects.toThrow("enough");
    expect(smtp.mails).toEqual([]);
  });

  function serverOptions(secure: boolean) {
    return { ...certificate.pem, secure, disabledCommands: [], allowInsecureAuth: true };
  }
});

function steps(smtp: Awaited<ReturnType<typeof openFakeSmtp>>): string[] {
  const asked: string[] = [];
  smtp.before = (step) => void asked.push(step);
  return asked;
}

async function opened(url: string) {
  const http = openHttpClient({ userAgent: "dewy/test" });
  const { notifier } = await openMailNotifier(parseLocation(url), {
    ...{ http, clock: systemClock, logger: new FakeLogger(), directory: "/srv/shop" },
    environment: { MAIL_USERNAME: account.username, MAIL_PASSWORD: account.password },
    identity: { app: "shop", host: "web-1", mode: "server" },
  });
  return notifier;
}
